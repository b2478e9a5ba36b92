"""ODRL's hands (Lyu et al., 2024, arXiv:2410.20750): stiff index finger and thumb, or four short fingers.

All nine joints rest at 0, inside their ranges, so that shrinking a range towards the rest pose multiplies both of its
ends by the factor.
"""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import FingerShift, JointRangeShift

ROBOTS = ("AdroitPen", "AdroitDoor", "AdroitHammer", "AdroitRelocate")
JOINTS = ("FFJ3", "FFJ2", "FFJ1", "FFJ0", "THJ4", "THJ3", "THJ2", "THJ1", "THJ0")
FACTORS = {"easy": 0.5, "medium": 0.25, "hard": 0.125}


def adroit_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``adroit``; the source is the plain hand."""
    for robot in ROBOTS:
        for level, factor in FACTORS.items():
            for name, shift in (
                ("broken-joint", JointRangeShift(scale=factor, joints=JOINTS)),
                ("shrink-finger", FingerShift(scale=factor)),
            ):
                yield Pair(robot=robot, name=f"{robot}-{name}-{level}", target=(shift,), suites=("adroit",))
