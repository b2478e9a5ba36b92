"""Runs that train in one stacked call, because they have algorithm, pair and seeds in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from transreward_baselines.benchmark.dara.cells import FINE_TUNED, Amount, Cell, Run
from transreward_baselines.data import Quality
from transreward_baselines.run_directory import RunDirectoryError
from transreward_wrappers.storage import write_json

FILE = "group.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Runs of one stacked call: each entry with each seed."""

    pair: str
    algorithm: str

    entries: tuple[tuple[Quality, Amount], ...]
    """Qualities and amounts; all of them fine-tuned, or none."""

    seeds: tuple[int, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs in the order of the stacked call: entry by entry."""
        return tuple(
            Run(cell=Cell(self.pair, quality), algorithm=self.algorithm, amount=amount, seed=seed)
            for quality, amount in self.entries
            for seed in self.seeds
        )

    @property
    def fine_tuned(self) -> bool:
        """Whether the runs learn from source data first."""
        return self.entries[0][1] == FINE_TUNED

    @property
    def folder(self) -> str:
        """Name of its folder, its own."""
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:12]
        return f"{self.algorithm}-{self.pair}-{digest}"

    def __str__(self) -> str:
        """Say what it is, in a line."""
        what = f"{len(self.runs)} runs, {len(self.entries)} cells"
        if len(self.entries) == 1:
            what = f"{self.entries[0][0]}, {self.entries[0][1]}, seeds {', '.join(map(str, self.seeds))}"
        return f"{self.algorithm}, {self.pair}: {what}"

    def halves(self) -> tuple[Self, ...]:
        """Return two groups with half of the entries each, or half of a single entry's seeds; none of a single run."""
        field = "entries" if len(self.entries) > 1 else "seeds"
        whole: tuple[Any, ...] = getattr(self, field)
        middle = len(whole) // 2
        parts = (whole[:middle], whole[middle:]) if middle else ()
        return tuple(replace(self, **{field: part}) for part in parts)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Return the group as JSON types."""
        entries, seeds = [list(entry) for entry in self.entries], list(self.seeds)
        return {"pair": self.pair, "algorithm": self.algorithm, "entries": entries, "seeds": seeds}

    def write(self, runs: Path) -> None:
        """Make its folder, among those of all groups, if there is none."""
        if not (path := runs / self.folder / FILE).exists():
            write_json(path, self.to_json())


def read_group(path: Path) -> Group:
    """Return what :meth:`Group.write` wrote.

    Raises:
        RunDirectoryError: It is something else.
    """
    try:
        content = dict(json.loads(path.read_text()))
        entries = tuple((quality, amount) for quality, amount in content["entries"])
        return Group(
            pair=content["pair"], algorithm=content["algorithm"], entries=entries, seeds=tuple(content["seeds"])
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunDirectoryError(
            f"{path} does not say which runs are in its folder ({error!r}). Delete the folder to have them made again."
        ) from error


def first_group(runs: Sequence[Run], most: int) -> Group:
    """Return the first of some runs and those that train best with it.

    Args:
        runs: Those to be done, at least one.
        most: Runs of a group.
    """
    first = runs[0]
    kin = [
        run
        for run in runs
        if (run.cell.pair, run.algorithm) == (first.cell.pair, first.algorithm)
        and (run.amount == FINE_TUNED) == (first.amount == FINE_TUNED)
    ]
    seeds: dict[tuple[Quality, Amount], list[int]] = {}
    for run in kin:
        seeds.setdefault((run.cell.quality, run.amount), []).append(run.seed)
    own = seeds[first.cell.quality, first.amount]
    entries = [entry for entry in seeds if seeds[entry] == own]
    return Group(
        pair=first.cell.pair,
        algorithm=first.algorithm,
        entries=tuple(entries[: max(most // len(own), 1)]),
        seeds=tuple(own[:most]),
    )
