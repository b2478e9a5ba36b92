"""Keywords of a domain: their names, and their JSON."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import numpy as np

from transreward_envs.errors import unknown
from transreward_envs.shifts import Shift
from transreward_envs.variation.changes import ShiftChange

SHIFTING = ("shift", "shift_range", "shift_schedule", "shift_change")
"""Keywords that may be given as values, and stand as JSON in a spec."""


def keyword_names(cls: type) -> set[str]:
    """Return the names of all keywords that a class and those it derives from take."""
    names = {name for base in cls.__mro__ for name in inspect.signature(vars(base).get("__init__", object)).parameters}
    return names - {"self", "args", "kwargs"}


def check_keywords_of(cls: type, given: Iterable[str]) -> None:
    """Raise ``TypeError`` for a keyword that a class does not take."""
    valid = keyword_names(cls)
    for name in given:
        if name not in valid:
            raise TypeError(unknown(f"keyword of {cls.__name__}", name, valid))


def plain_json(value: Any) -> Any:
    """Return a value as JSON types: shifts and changes as mappings, tuples and arrays as lists, paths as strings."""
    if isinstance(value, (Shift, ShiftChange)):
        return value.to_json()
    if isinstance(value, Mapping):
        return {name: plain_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if isinstance(value, np.generic) else value
