"""The table of levels in docs/offline.md, from the runs that are published in docs/results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from marks import between

from transreward_baselines.benchmark.dara.algorithms import ALGORITHMS
from transreward_baselines.benchmark.dara.rows import read_runs
from transreward_baselines.benchmark.statistics import estimate, mean

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "offline.md"
LEVELS = ROOT / "docs" / "results" / "offline-levels"


def page() -> str:
    """Return the text of the page, with the levels that are published now."""
    return between(PAGE.read_text(), "levels", "\n".join(levels()))


def levels() -> Iterator[str]:
    """Yield the lines of the table: what the last policies of each algorithm are worth."""
    rows = list(read_runs(LEVELS).values())
    yield "| algorithm | seeds | score: mean [95 %] | of each seed | return |"
    yield "|---|---:|---:|---|---:|"
    for algorithm in ALGORITHMS:
        if mine := sorted((row for row in rows if row.algorithm == algorithm), key=lambda row: row.seed):
            scores = np.array([row.score for row in mine])
            found = estimate(mean, [scores])
            interval = "" if found.low is None else f" [{found.low:.1f}, {found.high:.1f}]"
            each = ", ".join(f"{score:.1f}" for score in scores)
            returned = np.mean([row.return_mean for row in mine])
            yield f"| `{algorithm}` | {len(mine)} | {found.value:.1f}{interval} | {each} | {returned:,.0f} |"
