"""The table of levels in docs/offline.md, from the runs that are published in docs/results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from marks import between, table

from transreward_baselines.benchmark.dara.algorithms import ALGORITHMS
from transreward_baselines.benchmark.dara.rows import read_runs
from transreward_baselines.benchmark.report import figure
from transreward_baselines.benchmark.statistics import estimate, mean

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "offline.md"
LEVELS = ROOT / "docs" / "results" / "offline-levels"


def page() -> str:
    """Return the text of the page, with the levels that are published now."""
    return between(PAGE.read_text(), "levels", "\n".join(levels()))


def levels() -> Iterator[str]:
    """Yield the lines of the table: what the last policies of each algorithm are worth."""
    runs, rows = list(read_runs(LEVELS).values()), []
    for algorithm in ALGORITHMS:
        if mine := sorted((row for row in runs if row.algorithm == algorithm), key=lambda row: row.seed):
            scores = np.array([row.score for row in mine])
            found = estimate(mean, [scores])
            each = ", ".join(f"{score:.1f}" for score in scores)
            returned = f"{np.mean([row.return_mean for row in mine]):,.0f}"
            score = figure(found.value, found.low, found.high, 1)
            rows.append((f"`{algorithm}`", str(len(mine)), score, each, returned))
    yield from table(("algorithm", "seeds", "score: mean [95 %]", "of each seed", "return"), rows)
