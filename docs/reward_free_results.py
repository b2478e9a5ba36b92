"""The tables of docs/reward-free.md, from the runs that are published in docs/results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from marks import between, table
from numpy.typing import NDArray

from transreward_baselines.benchmark.report import figure
from transreward_baselines.benchmark.statistics import estimate, mean, ratio_of_means
from transreward_baselines.benchmark.table import RESULTS, RunRow
from transreward_baselines.results import read_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reward-free.md"
RUNS = ROOT / "docs" / "results" / "reward-free"
TOTAL_RUNS = ROOT / "docs" / "results" / "reward-free-total"

TRUE, MODEL, EPISODES, NEAREST, ALIVE = "true reward", "DTW", "DTW, no world model", "min_distance", "1 a step"
CONTENDERS = {
    "target": TRUE,
    "dtw:segments=32": MODEL,
    "dtw:segments=0": EPISODES,
    "dtw:alignment=min_distance": NEAREST,
    "dtw:alignment=ot": "ot",
    "dtw:alignment=orca": "orca",
    "dtw:reward=alive": ALIVE,
}
"""What the page calls each contender, if it has runs; the first two of DTW are what is tested."""

TOTALS = {
    "dtw:carry=total,imagine_every=1,refit_every=100000,segments=32": MODEL,
    "dtw:carry=total,refit_every=100000,segments=0": EPISODES,
    "dtw:alignment=min_distance,carry=total,refit_every=100000": NEAREST,
    "dtw:alignment=ot,carry=total,refit_every=100000": "ot",
    "dtw:alignment=orca,carry=total,refit_every=100000": "orca",
}
"""The same with the source's total kept, and fewer rounds of learning."""

ENOUGH, SHARE = 60.0, 0.8
"""Score that the true reward has to make for a pair to count, and share of it that is aimed at."""

Scores = Mapping[str, NDArray[np.float64]]
"""Of the runs of each contender, by seed."""


def page() -> str:
    """Return the text of the page, with the runs that are published now."""
    found = scores(read_table(RUNS / RESULTS, RunRow), CONTENDERS)
    totals = scores(read_table(TOTAL_RUNS / RESULTS, RunRow), TOTALS)
    text = between(PAGE.read_text(), "scores", "\n".join(levels(found, CONTENDERS)))
    text = between(text, "totals", "\n".join(levels(totals, TOTALS)))
    return between(text, "shares", "\n".join(shares(found)))


def scores(rows: list[RunRow], contenders: Mapping[str, str]) -> dict[str, Scores]:
    """Return the scores of each pair's contenders, seed by seed."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for pair in dict.fromkeys(row.pair for row in rows):
        for contender, name in contenders.items():
            mine = [row for row in rows if (row.pair, row.contender) == (pair, contender) and row.score is not None]
            if mine:
                ordered = sorted(mine, key=lambda row: row.seed)
                found.setdefault(pair, {})[name] = np.array([row.score for row in ordered], dtype=np.float64)
    return found


def levels(found: Mapping[str, Scores], contenders: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the table of what the last policies are worth."""
    names = [name for name in contenders.values() if any(name in of for of in found.values())]
    cells = []
    for pair, of in found.items():
        seeds = max(map(len, of.values()))
        cells.append([f"`{pair}`", str(seeds), *(_told(of.get(name), seeds) for name in names)])
    yield from table(("pair", "seeds", *names), cells)


def shares(found: Mapping[str, Scores]) -> Iterator[str]:
    """Yield the lines of the table of what is reached of the true reward's score, and which controls are beaten."""
    heads = ("pair", "rewards", "share of the true reward's score", "aim", "above min_distance", "above 1 a step")
    cells = []
    for pair, of in found.items():
        for name in (MODEL, EPISODES):
            if name in of and TRUE in of:
                above = (_above(of[name], of.get(rival)) for rival in (NEAREST, ALIVE))
                cells.append([f"`{pair}`", name, _share(of[name], of[TRUE]), _aim(of[name], of[TRUE]), *above])
    yield from table(heads, cells, words=2)


def _told(runs: NDArray[np.float64] | None, seeds: int) -> str:
    """Return a mean and its interval, and of how many runs it is where others have more."""
    if runs is None:
        return "-"
    found = estimate(mean, [runs])
    fewer = f" ({len(runs)})" if len(runs) < seeds else ""
    return figure(found.value, found.low, found.high, 0) + fewer


def _share(runs: NDArray[np.float64], true: NDArray[np.float64]) -> str:
    """Return the mean as a share of the true reward's."""
    found = ratio_of_means(runs, true)
    return figure(found.value, found.low, found.high, 2)


def _aim(runs: NDArray[np.float64], true: NDArray[np.float64]) -> str:
    if true.mean() < ENOUGH:
        return "does not count"
    return "met" if runs.mean() >= SHARE * true.mean() else "missed"


def _above(runs: NDArray[np.float64], rival: NDArray[np.float64] | None) -> str:
    """Return whether a mean lies above a rival's interval."""
    if rival is None or (high := estimate(mean, [rival]).high) is None:
        return "-"
    return "yes" if runs.mean() > high else "no"
