"""ODRL's mazes (Lyu et al., 2024, arXiv:2410.20750): the source is the first maze of the target's size."""

from __future__ import annotations

from collections.abc import Iterator

from transreward_envs.pairs.pair import Pair
from transreward_envs.shifts import MazeShift

TARGETS = {
    "small": ("empty", "centerblock", "lshape", "zshape", "reverseu", "reversel"),
    "medium": ("1", "2", "3", "4", "5", "6"),
    "large": ("1", "2", "3", "4", "5", "6"),
}


def antmaze_pairs() -> Iterator[Pair]:
    """Yield the pairs of suite ``antmaze``."""
    for size, targets in TARGETS.items():
        for target in targets:
            yield Pair(
                robot="AntMaze",
                name=f"AntMaze-{size}-{target}",
                source=(MazeShift(layout=f"{size}-0"),),
                target=(MazeShift(layout=f"{size}-{target}"),),
                suites=("antmaze",),
            )
