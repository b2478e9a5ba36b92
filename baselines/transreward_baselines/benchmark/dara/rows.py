"""The table of runs that are over: what is in it is never trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from filelock import FileLock

from transreward_baselines.benchmark.dara.cells import Amount, Cell, Run
from transreward_baselines.data import Quality
from transreward_baselines.results import read_table, write_table

RESULTS = "results.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What a run came to: the evaluation of its last policy, whatever earlier ones were worth."""

    pair: str
    quality: str
    algorithm: str
    amount: str
    seed: int

    updates: int
    """Gradient steps, those with source data before fine-tuning included."""

    score: float
    """``return_mean`` as 100 (J - J_random) / (J_expert - J_random), by references measured in this target."""

    return_mean: float
    return_std: float
    """Over the episodes. All three are NaN of a run that has diverged."""

    episodes: int

    seconds: float
    """Wall-clock time of training, of all runs of its stacked call together [s]."""

    runs: int
    """Of that call."""

    @property
    def run(self) -> Run:
        """The run whose row it is."""
        cell = Cell(self.pair, cast(Quality, self.quality))
        return Run(cell=cell, algorithm=self.algorithm, amount=cast(Amount, self.amount), seed=self.seed)


def read_runs(directory: Path) -> dict[Run, Row]:
    """Return the rows of runs that are over.

    Raises:
        RunDirectoryError: The table cannot be read.
    """
    return {row.run: row for row in read_table(directory / RESULTS, Row)}


def add_rows(directory: Path, rows: Sequence[Row]) -> None:
    """Add rows to the table, those of other processes kept."""
    with FileLock(directory / ".results.lock"):
        known = read_runs(directory)
        write_table(directory / RESULTS, [*known.values(), *(row for row in rows if row.run not in known)], Row)
