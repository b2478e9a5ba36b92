"""The suite's own shifts, on all ten robots where they make sense."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import (
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    ActuatorShift,
    ArmatureShift,
    BrokenActuator,
    DampingShift,
    FrictionShift,
    GravityShift,
    LimbShift,
    MassShift,
    ObservationNoise,
    Shift,
    StiffnessShift,
    TimestepShift,
    WindShift,
)

LOCOMOTION = ("Hopper", "Walker2d", "HalfCheetah", "Ant", "Humanoid")
ROBOTS = (
    *LOCOMOTION,
    "Swimmer",
    "Reacher",
    "Pusher",
    "InvertedPendulum",
    "InvertedDoublePendulum",
)
BROKEN = {
    "Hopper": "foot_joint",
    "Walker2d": "leg_joint",
    "HalfCheetah": "bthigh",
    "Ant": "hip_4",
    "Humanoid": "left_knee",
    "Swimmer": "motor2_rot",
    "Reacher": "joint1",
    "Pusher": "r_elbow_flex_joint",
}
UNDAMPED = ("Swimmer",)
COMBINED = {"easy": (1.25, 0.8, 1.1), "medium": (1.5, 0.65, 1.25), "hard": (2.0, 0.5, 1.5)}
"""Mass, friction and gravity of the combined shifts [-]."""

SHINS = {
    "Hopper": ("leg",),
    "Walker2d": ("leg", "leg_left"),
    "Humanoid": ("right_shin", "left_shin"),
    "Swimmer": ("back",),
}


def _core(
    robot: str,
    *shifts: Shift,
    name: str | None = None,
    source: tuple[Shift, ...] = (),
    delay: int = 0,
    suites: tuple[str, ...] = ("core",),
) -> Pair:
    """Return a pair of suite ``core``, whose source is the plain robot unless it is given."""
    label = name or "-".join(shift.label for shift in shifts)
    return Pair(
        robot=robot,
        name=f"{robot}-{label}",
        source=source,
        target=shifts,
        observe_actions=delay,
        suites=suites,
    )


def core_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``core`` that are not in ``odrl`` too."""
    for robot in ROBOTS:
        yield from _any_robot(robot)
    for robot in LOCOMOTION:
        yield from _locomotion(robot)
    yield from _single()


def _any_robot(robot: str) -> Iterator[Pair]:
    """Yield the pairs that every robot has."""
    for scale in (0.5, 1.5, 2.0, 3.0):
        yield _core(robot, MassShift(scale=scale))
    for scale in (0.5, 0.75):
        yield _core(robot, ActuatorShift(scale=scale))
    if robot in BROKEN:
        suites = ("core", "darc") if robot == "HalfCheetah" else ("core",)  # DARC's broken joint 0
        yield _core(robot, BrokenActuator(actuator=BROKEN[robot]), suites=suites)
    if robot not in UNDAMPED:
        yield _core(robot, DampingShift(scale=2.0))
    for steps in (1, 3):
        yield _core(robot, ActionDelay(steps=steps), delay=steps)


def _locomotion(robot: str) -> Iterator[Pair]:
    """Yield the pairs of robots that walk on a floor; ODRL has the other frictions and gravities."""
    if robot not in ("HalfCheetah", "Ant"):
        for scale in (0.1, 0.5, 2.0, 5.0):
            yield _core(robot, FrictionShift(scale=scale))
    if robot == "Humanoid":
        for scale in (0.5, 2.0):
            yield _core(robot, GravityShift(scale=scale))
    for level, (mass, friction, gravity) in COMBINED.items():
        shifts = (MassShift(scale=mass), FrictionShift(scale=friction), GravityShift(scale=gravity))
        yield _core(robot, *shifts, name=f"combined-{level}")
    yield _core(robot, ActionRepeat(times=2), name="repeat-4to2", source=(ActionRepeat(times=4),))
    yield _core(robot, WindShift(x=-20.0, density=1.2), name="wind--20.0")
    yield _core(robot, ObservationNoise(std=0.05))


def _single() -> Iterator[Pair]:
    """Yield the pairs of families that few robots need."""
    yield _core("HalfCheetah", ActionNoise(half_width=0.3))
    yield _core("HalfCheetah", StiffnessShift(scale=0.5))
    yield _core("HalfCheetah", TimestepShift(scale=0.5))
    yield _core("Ant", TimestepShift(scale=0.5))
    yield _core("Hopper", ArmatureShift(scale=2.0))
    yield _core("Swimmer", WindShift(x=-0.5))
    for robot, shins in SHINS.items():
        yield _core(robot, LimbShift(bodies=shins, length=0.8), name="limb-shin-0.8")
    yield _core("InvertedPendulum", LimbShift(bodies=("pole",), length=1.5), name="limb-pole-1.5")
    yield _core("InvertedPendulum", GravityShift(scale=2.0))
    yield _core("InvertedDoublePendulum", GravityShift(scale=2.0))
    yield _core("InvertedPendulum", MassShift(scale=2.0, body="pole"))
