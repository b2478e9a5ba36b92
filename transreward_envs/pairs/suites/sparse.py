"""Sparse rewards, as in doubly robust relabelling: nothing before a distance, and another mass or friction."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import FrictionShift, MassShift, SparseReward

DISTANCES = {"Hopper": 2.0, "Walker2d": 2.0, "HalfCheetah": 8.0, "Ant": 8.0}
"""From the start to where reward begins [m]: farther than random actions get in 95 of 100 episodes."""

SHIFTS = (
    MassShift(scale=0.5),
    MassShift(scale=2.0),
    FrictionShift(scale=0.5),
    FrictionShift(scale=2.0),
)


def sparse_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``sparse``; both domains are sparse, and observe the position that decides."""
    for robot, distance in DISTANCES.items():
        sparse = SparseReward(distance=distance)
        for shift in SHIFTS:
            yield Pair(
                robot=robot,
                name=f"{robot}-sparse-{shift.label}",
                source=(sparse,),
                target=(sparse, shift),
                settings=(("exclude_current_positions_from_observation", False),),
                suites=("sparse",),
            )
