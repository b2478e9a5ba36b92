"""Changes within an episode, at given steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transreward_envs.errors import require_count
from transreward_envs.shifts import GeometryShift, Shift, parse_shifts, shifts_to_json
from transreward_envs.shifts.base import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftChange:
    """From a step of each episode on, other shifts in place of the domain's fixed ones; its shape stays."""

    step: int
    """The first step under the new shifts, counted from 0 at reset."""

    shifts: tuple[Shift, ...]

    def __post_init__(self) -> None:
        require_count("step", self.step, at_least=1)
        object.__setattr__(self, "shifts", parse_shifts(self.shifts))
        for shift in self.shifts:
            if isinstance(shift, GeometryShift):
                raise ValueError(
                    f"A change within an episode must leave the robot's shape; {shift.label!r} does not. Vary it from "
                    "episode to episode, by `shift_range` or `shift_schedule`."
                )

    def to_json(self) -> Json:
        """Return the change as JSON types."""
        return {"step": self.step, "shift": shifts_to_json(self.shifts)}


ChangesLike = Mapping[str, Any] | ShiftChange | Sequence[Mapping[str, Any] | ShiftChange] | None


def parse_changes(data: ChangesLike) -> tuple[ShiftChange, ...]:
    """Return the changes that ``data`` describes, such as ``[{"step": 500, "shift": {"kind": "mass", "scale": 2.0}}]``.

    Raises:
        TypeError: They are not of this form.
        ValueError: A change breaks a rule, or they are not in order.
    """
    example = '[{"step": 500, "shift": {"kind": "mass", "scale": 2.0}}]'
    if data is None:
        return ()
    if isinstance(data, (Mapping, ShiftChange)):
        data = [data]
    if isinstance(data, str) or not isinstance(data, Sequence):
        raise TypeError(f"`shift_change` is a list such as {example}; got {data!r}.")
    changes = []
    for one in data:
        if isinstance(one, ShiftChange):
            changes.append(one)
        elif isinstance(one, Mapping) and set(one) == {"step", "shift"}:
            changes.append(ShiftChange(step=one["step"], shifts=parse_shifts(one["shift"])))
        else:
            raise TypeError(f"`shift_change` is a list such as {example}; got {one!r} in it.")
    steps = [change.step for change in changes]
    if steps != sorted(set(steps)):
        raise ValueError(f"Changes come in order, each at its own step; got steps {steps}.")
    return tuple(changes)
