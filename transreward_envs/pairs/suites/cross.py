"""Other tasks and other bodies: direction, goal velocity, a lame leg, another robot."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import BrokenActuator, DirectionShift, VelocityShift

RUNNERS = ("Hopper", "Walker2d", "HalfCheetah", "Ant")


def cross_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``cross``."""
    backward = (DirectionShift(heading="backward"),)
    for robot in RUNNERS:
        yield Pair(robot=robot, name=f"{robot}-backward", target=backward, suites=("cross",))
        yield Pair(robot=robot, name=f"{robot}-forward", source=backward, suites=("cross",))
        yield Pair(
            robot=robot,
            name=f"{robot}-velocity-3.0",
            source=(VelocityShift(goal=1.0),),
            target=(VelocityShift(goal=3.0),),
            suites=("cross",),
        )
    lame = (BrokenActuator(actuator="hip_4"), BrokenActuator(actuator="ankle_4"))
    yield Pair(robot="Ant", name="Ant-lame-leg", target=lame, suites=("cross",))
    yield Pair(robot="Walker2d", name="Walker2d-from-Hopper", source_robot="Hopper", suites=("cross",))
    yield Pair(robot="Hopper", name="Hopper-from-Walker2d", source_robot="Walker2d", suites=("cross",))
