"""DARA's shifts (Liu et al., 2022, arXiv:2203.06662): the source is shifted, the target is the plain robot."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import ActionNoise, MassShift

LAST_BODIES = {"Hopper": "foot", "Walker2d": "foot_left", "HalfCheetah": "bfoot", "Ant": "ankle_4"}


def dara_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``dara``."""
    for robot, body in LAST_BODIES.items():
        mass, noise = MassShift(scale=0.5, body=body), ActionNoise(half_width=0.05, dimension=-1)
        yield Pair(robot=robot, name=f"{robot}-dara-mass", source=(mass,), suites=("dara",))
        yield Pair(robot=robot, name=f"{robot}-dara-jointnoise", source=(noise,), suites=("dara",))
