"""Sweeps: pairs of one shift with one number in it that grows."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from transreward_baselines.settings import parse_listing
from transreward_envs import PAIRS, Pair, make_pair
from transreward_envs.errors import require_count, unknown
from transreward_envs.robots import get_robot
from transreward_envs.shifts.parse import SHIFT_KINDS, parse_shift

NUMBERS = ("float", "float | None", "int")
"""Types of settings of shifts that can be swept."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A shift, and the values of its number.

    Raises:
        ValueError: The shift, a setting or the range is not understood.
    """

    shift: str
    """Kind, and where it has several numbers the one that is meant, and further settings: ``mass``,
    ``damping:joint=leg_joint``, ``wind.x:density=1.2``."""

    values: str
    """Lowest, highest and how many, such as ``0.5:3:11``."""

    def __post_init__(self) -> None:
        self.numbers()
        self._parts()

    def numbers(self) -> list[float]:
        """Return the values."""
        return parse_range(self.values)

    def pairs(self, robot: str) -> dict[float, Pair]:
        """Return a robot's pairs by the value that the target is shifted by; a value that changes nothing has none.

        Raises:
            ValueError: The robot is unknown, or a shift of it breaks a rule or has no effect on it.
        """
        get_robot(robot)
        kind, name, settings = self._parts()
        whole = _numbers(kind)[name] == "int"
        pairs: dict[float, Pair] = {}
        for value in self.numbers():
            number = int(value) if whole and value.is_integer() else value
            shift = parse_shift({"kind": kind, name: number, **settings})
            if not shift.neutral:
                pairs[value] = _registered(make_pair(robot, shift))
        return pairs

    def _parts(self) -> tuple[str, str, dict[str, Any]]:
        """Return the kind, the name of its number, and the further settings."""
        word, _, listing = self.shift.partition(":")
        kind, _, name = word.partition(".")
        if kind not in SHIFT_KINDS:
            raise ValueError(unknown("shift kind", kind, SHIFT_KINDS))
        numbers = _numbers(kind)
        needed = [one for one in _needed(kind) if one in numbers]
        name = name or ("scale" if "scale" in numbers else needed[0] if len(needed) == 1 else "")
        if name not in numbers:
            raise ValueError(
                f"A sweep moves one number of a shift; those of {kind!r} are "
                f"{', '.join(f'{kind}.{one}' for one in numbers) or 'none'}; got {self.shift!r}."
            )
        return kind, name, parse_listing(listing)


def parse_range(text: str) -> list[float]:
    """Return the values of a range such as ``0.5:3:11``: lowest, highest, how many.

    Raises:
        ValueError: It is none.
    """
    parts = text.split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        parts = []
    if len(parts) != 3 or not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"A range is lowest:highest:count, two finite numbers and a count, as 0.5:3:11; got {text!r}.")
    require_count("count", count, at_least=2)
    return [float(f"{value:.10g}") for value in np.linspace(low, high, count)]


def _registered(pair: Pair) -> Pair:
    """Return the registered pair of that name if it is the same, and else the pair."""
    known = PAIRS.get(pair.name, pair)
    return known if known.to_json() == pair.to_json() else pair


def _numbers(kind: str) -> dict[str, str]:
    """Return the types of a shift's numbers, by name."""
    found = {field.name: str(field.type) for field in dataclasses.fields(SHIFT_KINDS[kind])}  # type: ignore[arg-type]
    return {name: type_ for name, type_ in found.items() if type_ in NUMBERS}


def _needed(kind: str) -> list[str]:
    """Return the names of a shift's settings that have no default."""
    fields = dataclasses.fields(SHIFT_KINDS[kind])  # type: ignore[arg-type]
    return [field.name for field in fields if field.default is dataclasses.MISSING]
