"""What relabelling other tasks' trajectories is worth to a meta-learner, on masses and frictions that it never met.

`drat.py` trains with DRaE-weighted values, by the direct doubly robust form with unit ratios, by plain relabelling and
by none, and without a context, all else the same: steps, seeds, tasks. Its last meta-test counts: returns after 0, 1, 2
and 3 episodes of adaptation, means over held-out tasks. How soon it got there is told by the mean over all meta-tests,
after all episodes of adaptation. Where the learner without relabelling does not beat the one without a context,
meta-learning did not work, and the comparison says nothing.

    python -m studies.drat --seeds 1 2 3 --out runs/drat

Rows are written as they come, one a meta-test. A run goes on where it was interrupted and is skipped once it is
finished; the table, the CSV and the figure are of all finished runs, those of earlier commands too. Several such
commands, for other seeds or methods, may fill one directory at once, each on a core of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from studies.claim import claim
from transreward_baselines import drat
from transreward_baselines.benchmark import report
from transreward_baselines.benchmark.figures import save
from transreward_baselines.benchmark.statistics import Estimate, estimate
from transreward_baselines.plot import colours_of
from transreward_baselines.results import read_table, write_table
from transreward_baselines.script import errors_told
from transreward_baselines.settings import parse_settings

METHODS: dict[str, dict[str, Any]] = {
    "no context": {"context": False, "relabelling": "none"},
    "none": {"relabelling": "none"},
    "plain": {"relabelling": "plain"},
    "direct": {"relabelling": "direct"},
    "drae": {"relabelling": "drae"},
}
"""Contenders, the control first."""

COMPARED = (("none", "no context"), ("plain", "none"), ("direct", "none"), ("drae", "none"), ("drae", "plain"))
"""Whose returns are subtracted from whose, seed by seed."""

EPISODES = 3
"""Of adaptation."""

HEADS = ("method", "seeds", *(f"after {count}" for count in range(EPISODES + 1)), "over training", "success")

OWN = {"robot", "seed", "total_steps", "adaptation_episodes", "checkpoint_every", "out", "context", "relabelling"}
"""Settings of drat.py that are not for `--set`."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One meta-test of a run: mean returns over held-out tasks."""

    robot: str
    method: str
    seed: int
    steps: int
    """Of meta-training so far, of all tasks together."""

    return_0: float
    return_1: float
    return_2: float
    return_3: float

    success: float
    """Share of episodes that earned anything, after all episodes of adaptation."""

    seconds: float
    """Of training so far [s]."""

    @property
    def returns(self) -> list[float]:
        """After 0, 1, 2 and 3 episodes of adaptation."""
        return [self.return_0, self.return_1, self.return_2, self.return_3]


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """Return settings of drat.py, such as ``stretch=2.0``.

    Raises:
        ValueError: There is no such setting, or the study sets it itself.
    """
    settings = parse_settings(tuple(words))
    free = sorted({field.name for field in fields(drat.Args)} - OWN)
    if others := sorted(set(settings) - set(free)):
        raise ValueError(f"`--set` takes settings of drat.py, {', '.join(free)}; got {', '.join(others)}.")
    return settings


def perform(args: drat.Args, method: str, finished: Path) -> None:
    """Train, unless that is done, and write its rows."""
    if finished.exists():
        return
    rows = []
    for step, found in groupby(drat.main(args), attrgetter("step")):
        *_, last = tests = list(found)
        returns = {f"return_{one.adaptation_episodes}": one.return_mean for one in tests}
        told = {"success": last.success, "seconds": last.seconds, **returns}
        rows.append(Row(robot=args.robot, method=method, seed=args.seed, steps=step, **told))
    write_table(finished, rows, Row)


def intervals(returns: Sequence[Sequence[float]]) -> list[Estimate]:
    """Return mean and 95 % bootstrap interval over seeds, of each column."""
    of_seeds: NDArray[np.float64] = np.array(returns, dtype=np.float64)
    return [estimate(lambda drawn: drawn.mean(axis=-1), [column]) for column in of_seeds.T]


def told(found: Estimate) -> str:
    """Return a mean, and its interval where there is one."""
    return report.figure(found.value, found.low, found.high, 1)


def by_seed(rows: Sequence[Row], method: str) -> dict[int, list[Row]]:
    """Return the meta-tests of each seed of a method, in their order."""
    found: dict[int, list[Row]] = {}
    for row in sorted((row for row in rows if row.method == method), key=lambda row: row.steps):
        found.setdefault(row.seed, []).append(row)
    return found


def figures(tests: Sequence[Row]) -> list[float]:
    """Return what counts of a run: returns of its last meta-test, and the mean over all of them."""
    return [*tests[-1].returns, float(np.mean([test.returns[-1] for test in tests]))]


def cells(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Yield the table: what each method earns, and what one earns more than another, seed by seed."""
    runs = {name: by_seed(rows, name) for name in METHODS}
    for name, mine in runs.items():
        if mine:
            found = intervals([figures(tests) for tests in mine.values()])
            success = np.mean([tests[-1].success for tests in mine.values()])
            yield [name, str(len(mine)), *map(told, found), f"{success:.2f}"]
    for ours, theirs in COMPARED:
        if both := sorted(runs[ours].keys() & runs[theirs].keys()):
            more = [list(np.subtract(figures(runs[ours][seed]), figures(runs[theirs][seed]))) for seed in both]
            yield [f"{ours} - {theirs}", str(len(both)), *map(told, intervals(more)), ""]


def table(rows: Sequence[Row]) -> Table:
    """Return what :func:`cells` yields, to be printed."""
    shown = Table(*HEADS, title="return on held-out tasks: mean [95 % interval over seeds]", box=None)
    for row in cells(rows):
        shown.add_row(*row)
    return shown


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw returns after all episodes of adaptation over training, and those of the last meta-test after each."""
    figure, (over_training, adapted) = plt.subplots(1, 2, figsize=(10.0, 4.0), layout="constrained")
    for name, colour in colours_of(METHODS).items():
        if runs := list(by_seed(rows, name).values()):
            there = min(map(len, runs))
            steps = [test.steps for test in runs[0][:there]]
            learnt = intervals([[test.returns[-1] for test in tests[:there]] for tests in runs])
            band(over_training, steps, learnt, color=colour, label=name)
            band(adapted, range(EPISODES + 1), intervals([tests[-1].returns for tests in runs]), color=colour)
    over_training.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1_000:g}")
    over_training.set(xlabel="thousands of steps of meta-training", ylabel=f"return after {EPISODES} episodes")
    adapted.set(xlabel="episodes of adaptation", ylabel="return at the end of training")
    adapted.xaxis.get_major_locator().set_params(integer=True)
    for axes in (over_training, adapted):
        axes.grid(alpha=0.3)
    over_training.legend(title="mean, band: 95 % interval over seeds", fontsize=8, title_fontsize=8)
    save(figure, path)


def band(axes: Axes, places: Sequence[int], found: Sequence[Estimate], *, color: Any, label: str | None = None) -> None:
    """Draw estimates, and their intervals where there are any."""
    axes.plot(places, [point.value for point in found], marker="o", markersize=4, color=color, label=label)
    if all(point.low is not None for point in found):
        low, high = ([getattr(point, side) for point in found] for side in ("low", "high"))
        axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)


def main(words: Sequence[str] | None = None) -> None:
    """Run what is not finished, then print the table, and write the CSV and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robot", default="HalfCheetah")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=drat.Args.total_steps, help="of all tasks together")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], help="of drat.py, such as stretch=2.0")
    parser.add_argument("--out", type=Path, default=Path("runs/drat"))
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    settings = settings_of(given.settings)
    runs = []
    for seed in given.seeds:  # seed by seed, so that an unfinished experiment has a bit of everything
        for method in given.methods:
            name = f"{method.replace(' ', '-')}-{seed}"
            args = drat.Args(
                robot=given.robot,
                seed=seed,
                total_steps=given.steps,
                adaptation_episodes=EPISODES,
                checkpoint_every=20_000,
                out=given.out / "runs" / name,
                **METHODS[method],
                **settings,
            )
            runs.append((args, method, given.out / "rows" / f"{name}.csv"))
    claim(given.out, {"robot": given.robot, "steps": given.steps, "settings": given.settings})
    for run in runs:
        perform(*run)
    rows = [row for path in sorted((given.out / "rows").glob("*.csv")) for row in read_table(path, Row)]
    Console(width=140).print(table(rows))
    write_table(given.out / "drat.csv", rows, Row)
    draw(rows, given.out / "drat.png")
    print(f"A row a meta-test is in {given.out / 'drat.csv'}, the figure in {given.out / 'drat.png'}.")


if __name__ == "__main__":
    with errors_told():
        main()
