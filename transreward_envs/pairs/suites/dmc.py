"""Action repeat on the DeepMind Control Suite: each action is held for half as long in the target."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import ActionRepeat

ROBOTS = ("CheetahRun", "WalkerWalk", "BallInCupCatch")
REPEATS = ((4, 2), (6, 3))


def dmc_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``dmc``."""
    for robot in ROBOTS:
        for source, target in REPEATS:
            yield Pair(
                robot=robot,
                name=f"{robot}-repeat-{source}to{target}",
                source=(ActionRepeat(times=source),),
                target=(ActionRepeat(times=target),),
                suites=("dmc",),
            )
