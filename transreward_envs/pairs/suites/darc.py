"""DARC's tasks (Eysenbach et al., 2021, arXiv:2006.13916); HalfCheetah's broken joint is in suite ``core`` too."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import BrokenActuator, DirectionShift, ObstacleShift


def darc_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``darc``: broken joints 0 and 3, and a wall behind a cheetah that may run either way."""
    yield Pair(robot="Ant", name="Ant-broken-ankle_1", target=(BrokenActuator(actuator="ankle_1"),), suites=("darc",))
    yield Pair(
        robot="Reacher7",
        name="Reacher7-broken-shoulder_pan",
        target=(BrokenActuator(actuator="shoulder_pan"),),
        suites=("darc",),
    )
    either = DirectionShift(heading="either")
    yield Pair(
        robot="HalfCheetah",
        name="HalfCheetah-obstacle",
        source=(either,),
        target=(either, ObstacleShift(x=-3.0, thickness=2.0)),
        settings=(("exclude_current_positions_from_observation", False),),
        suites=("darc",),
    )
