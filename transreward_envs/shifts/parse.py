"""From JSON to shifts and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from transreward_envs.errors import unknown
from transreward_envs.shifts.action_delay import ActionDelay
from transreward_envs.shifts.action_noise import ActionNoise
from transreward_envs.shifts.action_repeat import ActionRepeat
from transreward_envs.shifts.actuator import ActuatorShift, BrokenActuator
from transreward_envs.shifts.base import Json, Shift
from transreward_envs.shifts.finger import FingerShift
from transreward_envs.shifts.friction import FrictionShift
from transreward_envs.shifts.friction_odrl import OdrlFriction
from transreward_envs.shifts.gravity import GravityShift
from transreward_envs.shifts.joint_range import JointRangeShift
from transreward_envs.shifts.joints import ArmatureShift, DampingShift, StiffnessShift
from transreward_envs.shifts.limb import LimbShift
from transreward_envs.shifts.link import LinkShift
from transreward_envs.shifts.mass import MassShift
from transreward_envs.shifts.maze import MazeShift
from transreward_envs.shifts.observation_noise import ObservationNoise
from transreward_envs.shifts.obstacle import ObstacleShift
from transreward_envs.shifts.reward import DirectionShift, SparseReward, VelocityShift
from transreward_envs.shifts.time_step import TimestepShift
from transreward_envs.shifts.wind import WindShift

SHIFT_KINDS: dict[str, type[Shift]] = {
    cls.kind: cls
    for cls in (
        MassShift,
        FrictionShift,
        OdrlFriction,
        GravityShift,
        DampingShift,
        ArmatureShift,
        StiffnessShift,
        ActuatorShift,
        BrokenActuator,
        JointRangeShift,
        LimbShift,
        LinkShift,
        FingerShift,
        ObstacleShift,
        MazeShift,
        WindShift,
        TimestepShift,
        ActionNoise,
        ActionDelay,
        ActionRepeat,
        ObservationNoise,
        DirectionShift,
        VelocityShift,
        SparseReward,
    )
}

ShiftLike = Shift | Mapping[str, Any]
ShiftsLike = ShiftLike | Sequence[ShiftLike] | None


def parse_shift(data: ShiftLike) -> Shift:
    """Return the shift that ``data`` describes, such as ``{"kind": "mass", "scale": 2.0}``.

    Raises:
        TypeError: It is neither a shift nor a mapping, or a setting is missing.
        ValueError: The kind or a setting is unknown, or a value breaks a rule.
    """
    if isinstance(data, Shift):
        return data
    if not isinstance(data, Mapping):
        raise TypeError(
            f'A shift is a mapping such as {{"kind": "mass", "scale": 2.0}}, or a list of them; got {data!r}.'
        )
    settings = dict(data)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str) or kind not in SHIFT_KINDS:
        raise ValueError(unknown("shift kind", kind, SHIFT_KINDS))
    cls = SHIFT_KINDS[kind]
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in settings:
        if name not in fields:
            raise ValueError(unknown(f"setting of a {kind} shift", name, fields))
    missing = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in settings]
    if missing:
        raise TypeError(f"A {kind} shift needs {', '.join(f'`{name}`' for name in missing)}; got {data!r}.")
    return cls(**settings)


def parse_shifts(data: ShiftsLike) -> tuple[Shift, ...]:
    """Return the shifts that ``data`` describes: none, one, or a sequence of them.

    Raises:
        TypeError: A part of it is no shift.
        ValueError: A kind or a setting is unknown, or a value breaks a rule.
    """
    if data is None:
        return ()
    if isinstance(data, (Shift, Mapping)):
        return (parse_shift(data),)
    if isinstance(data, str) or not isinstance(data, Sequence):
        raise TypeError(
            f'Shifts are a list such as [{{"kind": "mass", "scale": 2.0}}]; got {type(data).__name__} {data!r}.'
        )
    return tuple(parse_shift(one) for one in data)


def shifts_to_json(shifts: Sequence[Shift]) -> list[Json]:
    """Return the shifts as JSON types."""
    return [shift.to_json() for shift in shifts]
