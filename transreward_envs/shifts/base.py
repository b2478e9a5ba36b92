"""What a shift is: a frozen value with units, a neutral setting, and JSON in and out."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from transreward_envs.errors import unknown

if TYPE_CHECKING:
    import mujoco

Json = dict[str, Any]


class Shift(ABC):
    """One known difference between two domains of a task.

    Subclasses are frozen dataclasses. ``kind`` names the shift in JSON and in ids.
    """

    __slots__ = ()

    kind: ClassVar[str]

    @property
    @abstractmethod
    def neutral(self) -> bool:
        """Whether this setting changes nothing, bit for bit."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The shift's part of an id, such as ``mass-2.0`` or ``delay-3``."""

    def to_json(self) -> Json:
        """Return the shift as JSON types, ``kind`` first; settings left out of it are ``None``."""
        assert dataclasses.is_dataclass(self)
        settings = {name: _plain(value) for name, value in dataclasses.asdict(self).items() if value is not None}
        return {"kind": self.kind, **settings}


class ModelShift(Shift):
    """A shift of named fields of the compiled model."""

    __slots__ = ()

    writes: ClassVar[tuple[str, ...]]
    """Fields of ``MjModel`` that the shift sets; ``opt.gravity`` stands for ``MjModel.opt.gravity``."""

    derives: ClassVar[tuple[str, ...]] = ()
    """Fields that follow from those when the model's constants are computed again."""

    @abstractmethod
    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the fields of ``model`` from their present values.

        Called only by :func:`transreward_envs.shifts.apply.apply_shifts`, on a fresh copy of the nominal model, so
        that shifts compose and nothing compounds.
        """


class ControlShift(Shift):
    """A shift of the way from the agent's action to the actuators: noise, delay, repetition."""

    __slots__ = ()


def _plain(value: Any) -> Any:
    """Return a value as JSON types: tuples as lists, NumPy's numbers as Python's."""
    if isinstance(value, tuple):
        return list(value)
    return value.item() if isinstance(value, np.generic) else value


def select_names(what: str, given: str | None, names: Sequence[str], *, robot: str) -> list[int]:
    """Return the indices that ``given`` selects from ``names``; every index if it is ``None``.

    Raises:
        ValueError: The robot has nothing of that name.
    """
    if given is None:
        return list(range(len(names)))
    if given not in names:
        raise ValueError(unknown(f"{what} of {robot}", given, [name for name in names if name]))
    return [index for index, name in enumerate(names) if name == given]


def names_of(count: int, access: Callable[[int], Any]) -> list[str]:
    """Return the names of ``count`` model elements, empty for those without one."""
    return [access(index).name for index in range(count)]
