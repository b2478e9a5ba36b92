"""What the demonstration found, in README.md and docs/demo.md.

`make demo-results` keeps the results and the figure of a run of `make demo`; `make docs` writes the tables from them.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from marks import between
from marks import table as markdown

from transreward_baselines.demo import VERSIONS as BEGUN_WITH
from transreward_baselines.demo import DemoArgs, results_table
from transreward_baselines.results import Result

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "demo.md"
RESULTS = ROOT / "docs" / "results" / "demo.csv"
VERSIONS = RESULTS.with_suffix(".json")
FIGURE = ROOT / "docs" / "images" / "learning-curves.png"
DEMO = DemoArgs()
ROUNDING = 1.1
"""PPO ends with a whole rollout, so that a run may have this many times the steps that it was asked for."""


def page() -> str:
    """Return the text of the page, with the results that are kept now."""
    lines = [*table(), "", *findings(), "", *provenance()]
    return between(PAGE.read_text(), "demo", "\n".join(lines))


def readme(text: str) -> str:
    """Return README's text, with the table of the results that are kept now."""
    return between(text, "demo", "\n".join([*table(), "", *provenance()]))


def last_evaluations() -> dict[str, list[Result]]:
    """Return the last evaluation of every run, by method and in the order of seeds; what is not kept is NaN."""
    by_method: dict[str, list[Result]] = {}
    with RESULTS.open(newline="") as file:
        for row in csv.DictReader(file):
            result = Result(
                step=int(row["step"]),
                source_steps=int(row["source_steps"]),
                target_steps=int(row["target_steps"]),
                target_return=float(row["target_return"]),
                target_spread=math.nan,
                source_return=float(row["source_return"]),
                source_spread=math.nan,
                seconds=math.nan,
            )
            by_method.setdefault(row["method"], []).append(result)
    return by_method


def table() -> Iterator[str]:
    """Yield the lines of the table that `make demo` shows."""
    runs = {method: [[last] for last in seeds] for method, seeds in last_evaluations().items()}
    shown = results_table(runs, DEMO.pair, title="")
    cells = zip(*(column.cells for column in shown.columns), strict=True)
    yield from markdown([str(column.header) for column in shown.columns], (list(map(str, row)) for row in cells))


def findings() -> Iterator[str]:
    """Yield a line for each comparison that the contenders were chosen for."""
    last = last_evaluations()
    returns = {method: np.array([result.target_return for result in seeds]) for method, seeds in last.items()}
    there, here = returns["source"].mean(), np.mean([result.source_return for result in last["source"]])
    yield (
        f"- What is trained in the source returns {here:,.0f} there and {there:,.0f} in the target: the pair's gap is "
        f"{100 * (1 - there / here):.0f} % of the return."
    )
    for method, other, what in (
        ("darc", "mixture", "DARC against the mixture, which has the same ratio of target steps"),
        ("reward-transfer", "target", "Reward transfer against the target alone, which has no source steps"),
    ):
        difference = returns[method] - returns[other]
        low, high = difference.min(), difference.max()
        yield (
            f"- {what}:\n  {difference.mean():+,.0f} in the mean over seeds (from {low:+,.0f} to {high:+,.0f}), ahead "
            f"on {(difference > 0).sum()} of {len(difference)}."
        )


def provenance() -> Iterator[str]:
    """Yield what the results are of, and whether that is what `make demo` runs now."""
    last = last_evaluations()
    seeds = max(len(results) for results in last.values())
    steps = max(result.step for results in last.values() for result in results)
    made_by = ", ".join(f"{package} {number}" for package, number in json.loads(VERSIONS.read_text()).items())
    yield f"{seeds} seeds, {steps:,} steps of the agent in each run, by {made_by}."
    if seeds != DEMO.seeds or not DEMO.steps <= steps <= ROUNDING * DEMO.steps:
        yield "They are of an earlier version of the demonstration, which now has"
        yield f"{DEMO.seeds} seeds and {DEMO.steps:,} steps; `make demo-results` takes over what it finds today."


def keep(run: Path) -> None:
    """Take over results, figure and versions that the demonstration left in a directory.

    Raises:
        FileNotFoundError: The demonstration has not run to its end there.
    """
    files = {"results.csv": RESULTS, "learning-curves.png": FIGURE, BEGUN_WITH: VERSIONS}
    for name in files:
        if not (run / name).exists():
            raise FileNotFoundError(f"{run / name} is not there: run `make demo` first.")
    for name, kept in files.items():
        shutil.copyfile(run / name, kept)


if __name__ == "__main__":
    keep(ROOT / DEMO.out)
