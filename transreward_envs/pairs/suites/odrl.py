"""The 80 locomotion targets of ODRL (Lyu et al., 2024, arXiv:2410.20750), on Gymnasium's v5 robots."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.errors import unknown
from transreward_envs.pairs.pair import Pair
from transreward_envs.pairs.suites.adroit import adroit_pairs
from transreward_envs.pairs.suites.antmaze import antmaze_pairs
from transreward_envs.shifts import (
    FrictionShift,
    GravityShift,
    JointRangeShift,
    LimbShift,
    LinkShift,
    OdrlFriction,
    Shift,
)

LEVELS = ("easy", "medium", "hard")
FACTORS = (0.1, 0.5, 2.0, 5.0)
RANGES = (0.8, 0.5, 0.2)

JOINTS = {
    ("HalfCheetah", "footjnt"): ("bfoot", "ffoot"),
    ("HalfCheetah", "thighjnt"): ("bthigh", "fthigh"),
    ("Hopper", "footjnt"): ("foot_joint",),
    ("Hopper", "legjnt"): ("leg_joint",),
    ("Walker2d", "footjnt"): ("foot_joint", "foot_left_joint"),
    ("Walker2d", "thighjnt"): ("thigh_joint", "thigh_left_joint"),
    ("Ant", "hipjnt"): ("hip_1", "hip_2", "hip_3", "hip_4"),
    ("Ant", "anklejnt"): ("ankle_1", "ankle_2", "ankle_3", "ankle_4"),
}


def _torso(top: float, radius: float) -> tuple[Shift, ...]:
    """Return the torso of Hopper or Walker2d, whose frame is 1.25 m above the floor and whose hip 1.05 m."""
    return (LinkShift(body="torso", start=(0.0, 0.0, -0.2), end=(0.0, 0.0, round(top - 1.25, 9)), radius=radius),)


def _knee(height: float) -> tuple[Shift, ...]:
    """Return both legs of Walker2d with the knee at another height; hip (1.05 m) and ankle (0.1 m) stay."""
    return tuple(
        shift
        for side in ("", "_left")
        for shift in (
            LinkShift(body=f"thigh{side}", end=(0.0, 0.0, round(height - 1.05, 9))),
            LinkShift(body=f"leg{side}", end=(0.0, 0.0, round(0.35 - height, 9))),
        )
    )


def _thighs(back: tuple[float, float], front: tuple[float, float]) -> tuple[Shift, ...]:
    """Return HalfCheetah's legs with other thighs, and the shins that go with them at every level."""
    return (
        LinkShift(body="bthigh", end=(back[0], 0.0, back[1])),
        LinkShift(body="bshin", end=(-0.13, 0.0, -0.15)),
        LinkShift(body="fthigh", end=(front[0], 0.0, front[1])),
        LinkShift(body="fshin", end=(0.11, 0.0, -0.13)),
    )


def _spine(half: float) -> tuple[Shift, ...]:
    """Return HalfCheetah's torso with another half-length; head and hips move with its ends."""
    return (LinkShift(body="torso", start=(-half, 0.0, 0.0), end=(half, 0.0, 0.0)),)


TORSOS = tuple(_torso(top, radius) for top, radius in ((1.53, 0.075), (1.69, 0.1), (1.85, 0.125)))
ANKLES = ("ankle_1", "ankle_2", "ankle_3", "ankle_4")

MORPHOLOGIES: dict[tuple[str, str], tuple[tuple[Shift, ...], ...]] = {
    ("Ant", "alllegs"): tuple((LimbShift(bodies=ANKLES, length=length),) for length in (0.8, 0.5, 0.2)),
    ("Ant", "halflegs"): tuple((LimbShift(bodies=ANKLES[:2], length=length),) for length in (0.8, 0.5, 0.2)),
    ("HalfCheetah", "torso"): tuple(_spine(half) for half in (0.4, 0.25, 0.1)),
    ("HalfCheetah", "thigh"): (
        _thighs((0.11, -0.11), (-0.09, -0.1)),
        _thighs((0.08, -0.08), (-0.07, -0.08)),
        _thighs((0.02, -0.02), (-0.04, -0.05)),
    ),
    ("Hopper", "torso"): TORSOS,
    ("Hopper", "foot"): tuple((LimbShift(bodies=("foot",), length=scale, radius=scale),) for scale in (0.8, 0.6, 0.4)),
    ("Walker2d", "torso"): TORSOS,
    ("Walker2d", "leg"): tuple(_knee(height) for height in (0.5, 0.35, 0.2)),
}


def _odrl(robot: str, name: str, *shifts: Shift, core: bool = False) -> Pair:
    return Pair(robot=robot, name=f"{robot}-{name}", target=shifts, suites=("odrl", "core") if core else ("odrl",))


def odrl_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``odrl``; the source is always the plain robot."""
    for robot in ("HalfCheetah", "Hopper", "Walker2d", "Ant"):
        quirks = robot in ("Hopper", "Walker2d")
        for factor in FACTORS:
            friction = OdrlFriction(scale=factor) if quirks else FrictionShift(scale=factor)
            yield _odrl(robot, friction.label, friction, core=not quirks)
            gravity = GravityShift(scale=factor)
            yield _odrl(robot, gravity.label, gravity, core=True)
    for (robot, part), joints in JOINTS.items():
        for level, scale in zip(LEVELS, RANGES, strict=True):
            yield _odrl(robot, f"kinematic-{part}-{level}", JointRangeShift(scale=scale, joints=joints))
    for (robot, part), levels in MORPHOLOGIES.items():
        for level, shifts in zip(LEVELS, levels, strict=True):
            yield _odrl(robot, f"morph-{part}-{level}", *shifts)


ODRL: dict[str, Pair] = {pair.name.lower().replace("frictionodrl", "friction"): pair for pair in odrl_pairs()}
"""The pairs by ODRL's own names, such as ``hopper-friction-0.1``."""


ODRL_OPTIONAL: dict[str, Pair] = {
    pair.name.lower().removeprefix("adroit"): pair for pair in (*antmaze_pairs(), *adroit_pairs())
}
"""Its mazes and hands, such as ``antmaze-medium-3`` and ``pen-broken-joint-easy``: they need an extra."""


def make_odrl(name: str, level: str | float | None = None) -> Pair:
    """Return the pair that reproduces one of ODRL's tasks; mazes and hands need the extra ``robotics``.

    Args:
        name: ODRL's name of the task, such as ``hopper-kinematic-legjnt``, or with its level.
        level: ODRL's shift level, such as ``easy`` or ``0.5``, unless the name has it.

    Raises:
        ValueError: ODRL has no such task.
    """
    number = None if level is None or isinstance(level, str) else str(float(level))
    given = "-".join(part for part in (name, number or level) if isinstance(part, str))
    key = given.lower().replace("_", "-")
    tasks = ODRL | ODRL_OPTIONAL
    if key not in tasks:
        raise ValueError(unknown("ODRL task", given, tasks))
    return tasks[key]
