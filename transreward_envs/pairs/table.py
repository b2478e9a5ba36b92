"""The table of registered pairs: ids, documentation and test parameters come from here."""

from __future__ import annotations

from transreward_envs.errors import unknown
from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import (
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    ActuatorShift,
    BrokenActuator,
    DampingShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    MassShift,
    Shift,
)

LOCOMOTION = ("Hopper", "Walker2d", "HalfCheetah", "Ant")


def _core(robot: str, *shifts: Shift, name: str | None = None, observe_actions: int = 0) -> Pair:
    """Return a pair of suite ``core``: the plain robot as source, one shift or more in the target."""
    label = name or "-".join(shift.label for shift in shifts)
    return Pair(
        robot=robot,
        name=f"{robot}-{label}",
        target=shifts,
        observe_actions=observe_actions,
        suites=("core",),
    )


def _pairs() -> tuple[Pair, ...]:
    scaled = [
        *(FrictionShift(scale=scale) for scale in (0.1, 0.5, 2.0, 5.0)),
        *(GravityShift(scale=scale) for scale in (0.1, 0.5, 2.0, 5.0)),
        *(MassShift(scale=scale) for scale in (0.5, 1.5, 2.0, 3.0)),
        *(ActuatorShift(scale=scale) for scale in (0.5, 0.75)),
    ]
    return (
        *(_core(robot, shift) for robot in LOCOMOTION for shift in scaled),
        _core("HalfCheetah", BrokenActuator(actuator="bthigh")),
        _core("HalfCheetah", ActionNoise(half_width=0.3)),
        _core("Ant", BrokenActuator(actuator="hip_4")),
        _core("Hopper", DampingShift(scale=2.0)),
        _core("Hopper", JointRangeShift(scale=0.5, joints=("leg_joint",)), name="kinematic-legjnt-medium"),
        _core("Walker2d", ActionDelay(steps=3), observe_actions=3),
        Pair(
            robot="Hopper",
            name="Hopper-repeat-4to2",
            source=(ActionRepeat(times=4),),
            target=(ActionRepeat(times=2),),
            suites=("core",),
        ),
        _core("InvertedPendulum", GravityShift(scale=2.0)),
        _core("InvertedPendulum", MassShift(scale=2.0, body="pole"), name="mass-pole-2.0"),
    )


PAIRS: dict[str, Pair] = {pair.name: pair for pair in _pairs()}


def get_pair(name: str) -> Pair:
    """Return the registered pair of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in PAIRS:
        raise ValueError(unknown("pair", name, PAIRS))
    return PAIRS[name]
