"""The table's cells: a pair and a quality of data, what is learnt from, and by which algorithm and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, get_args

from transreward_baselines.data import Quality
from transreward_envs import get_suite
from transreward_envs.errors import unknown

Amount = Literal["10T", "1T", "1T+10S", "1T+10S-dara", "1T-from-10S"]
AMOUNTS: tuple[Amount, ...] = get_args(Amount)
"""All of the target's data; a tenth of it; the tenth and all of the source's data, these with their own rewards or with
DARA's; and the tenth, by policies that learnt from the source's data before."""

PLAIN: Amount = "1T+10S"
AUGMENTED: Amount = "1T+10S-dara"
FINE_TUNED: Amount = "1T-from-10S"

QUALITIES: tuple[Quality, ...] = ("random", "medium", "medium-replay", "medium-expert")
"""Those of the paper."""

SUITE = "dara"


class Cell(NamedTuple):
    """A pair, and the quality of the data of both its domains."""

    pair: str
    quality: Quality

    def __str__(self) -> str:
        return f"{self.pair}/{self.quality}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One policy of the table."""

    cell: Cell
    algorithm: str
    amount: Amount
    seed: int

    def __str__(self) -> str:
        return f"{self.cell}, {self.algorithm}, {self.amount}, seed {self.seed}"


def all_cells() -> list[Cell]:
    """Return the cells of the suite, body mass first, joint noise after."""
    pairs = sorted((pair.name for pair in get_suite(SUITE)), key=lambda name: not name.endswith("-mass"))
    return [Cell(pair, quality) for pair in pairs for quality in QUALITIES]


def find_cells(patterns: Sequence[str]) -> list[Cell]:
    """Return the cells that patterns such as ``Hopper-dara-mass/*`` mean, in the order of the table.

    A pair alone means all its cells.

    Raises:
        ValueError: A pattern means none.
    """
    cells = all_cells()
    found: set[Cell] = set()
    for pattern in patterns:
        whole = pattern if "/" in pattern else f"{pattern}/*"
        matching = [cell for cell in cells if fnmatchcase(str(cell), whole)]
        if not matching:
            raise ValueError(unknown("cell", pattern, {*map(str, cells), *(cell.pair for cell in cells)}))
        found.update(matching)
    return [cell for cell in cells if cell in found]


def runs_of(
    cells: Sequence[Cell], algorithms: Sequence[str], amounts: Sequence[Amount], seeds: Sequence[int]
) -> Iterator[Run]:
    """Yield all runs, pair by pair, so that an unfinished table has whole rows."""
    for pair in dict.fromkeys(cell.pair for cell in cells):
        for algorithm in algorithms:
            for cell in cells:
                for amount in amounts:
                    if cell.pair == pair:
                        for seed in seeds:
                            yield Run(cell=cell, algorithm=algorithm, amount=amount, seed=seed)
