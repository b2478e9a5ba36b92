"""What relabelling other tasks' trajectories is worth to a meta-learner, on masses and frictions that it never met.

`drat.py` trains with DRaE-weighted values, by the direct doubly robust form with unit ratios, by plain relabelling and
by none, and without a context, all else the same: steps, seeds, tasks. Its last meta-test counts: returns after 0, 1, 2
and 3 episodes of adaptation, means over held-out tasks. Where the learner without relabelling does not beat the one
without a context, meta-learning did not work, and the comparison says nothing.

    python -m studies.drat --seeds 1 2 3 --out runs/drat

Rows are written as they come, one a run. A run goes on where it was interrupted and is skipped once it is finished; the
table, the CSV and the figure are of all finished runs, those of earlier commands too. Several such commands, for other
seeds or methods, may fill one directory at once, each on a core of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from studies.claim import claim
from transreward_baselines import drat
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

OWN = {"robot", "seed", "total_steps", "adaptation_episodes", "checkpoint_every", "out", "context", "relabelling"}
"""Settings of drat.py that are not for `--set`."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run: mean returns over held-out tasks of its last meta-test."""

    robot: str
    method: str
    seed: int
    steps: int
    return_0: float
    return_1: float
    return_2: float
    return_3: float

    success: float
    """Share of episodes that earned anything, after all episodes of adaptation."""

    seconds: float
    """Of training [s]."""

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
    """Train, unless that is done, and write the row of it."""
    if finished.exists():
        return
    last = drat.main(args)[-EPISODES - 1 :]
    row = Row(
        robot=args.robot,
        method=method,
        seed=args.seed,
        steps=last[-1].step,
        **{f"return_{one.adaptation_episodes}": one.return_mean for one in last},
        success=last[-1].success,
        seconds=last[-1].seconds,
    )
    write_table(finished, [row], Row)


def intervals(returns: Sequence[Sequence[float]]) -> list[Estimate]:
    """Return mean and 95 % bootstrap interval over seeds, of each number of episodes of adaptation."""
    of_seeds: NDArray[np.float64] = np.array(returns, dtype=np.float64)
    return [estimate(lambda drawn: drawn.mean(axis=-1), [column]) for column in of_seeds.T]


def told(found: Estimate) -> str:
    """Return a mean, and its interval where there is one."""
    return f"{found.value:.1f}" + ("" if found.low is None else f" ({found.low:.1f} - {found.high:.1f})")


def table(rows: Sequence[Row]) -> Table:
    """Return returns of each method, and what one earns more than another, seed by seed."""
    columns = ("method", "seeds", *(f"after {count}" for count in range(EPISODES + 1)), "success")
    shown = Table(*columns, title="return on held-out tasks: mean (95 % interval over seeds)", box=None)
    by_method = {name: {row.seed: row for row in rows if row.method == name} for name in METHODS}
    for name, runs in by_method.items():
        if runs:
            found = intervals([row.returns for row in runs.values()])
            success = np.mean([row.success for row in runs.values()])
            shown.add_row(name, str(len(runs)), *map(told, found), f"{success:.2f}")
    for ours, theirs in COMPARED:
        if both := sorted(by_method[ours].keys() & by_method[theirs].keys()):
            more = [np.subtract(by_method[ours][seed].returns, by_method[theirs][seed].returns) for seed in both]
            shown.add_row(f"{ours} - {theirs}", str(len(both)), *map(told, intervals(more)), "")
    return shown


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw returns after episodes of adaptation."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for name, colour in colours_of(METHODS).items():
        if found := [row.returns for row in rows if row.method == name]:
            points, counts = intervals(found), np.arange(EPISODES + 1)
            axes.plot(counts, [point.value for point in points], marker="o", color=colour, label=name)
            if len(found) > 1:
                low, high = ([getattr(point, side) for point in points] for side in ("low", "high"))
                axes.fill_between(counts, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="episodes of adaptation", ylabel="return on held-out tasks")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(title="mean, band: 95 % interval over seeds", fontsize=8, title_fontsize=8)
    save(figure, path)


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
            args = drat.Args(
                robot=given.robot,
                seed=seed,
                total_steps=given.steps,
                adaptation_episodes=EPISODES,
                checkpoint_every=20_000,
                out=given.out / "runs" / f"{method.replace(' ', '-')}-{seed}",
                **METHODS[method],
                **settings,
            )
            runs.append((args, method))
    claim(given.out, {"robot": given.robot, "steps": given.steps, "settings": given.settings})
    for args, method in runs:
        perform(args, method, given.out / "rows" / f"{args.out.name}.csv")
    rows = [row for path in sorted((given.out / "rows").glob("*.csv")) for row in read_table(path, Row)]
    Console(width=140).print(table(rows))
    write_table(given.out / "drat.csv", rows, Row)
    draw(rows, given.out / "drat.png")
    print(f"A row a run is in {given.out / 'drat.csv'}, the figure in {given.out / 'drat.png'}.")


if __name__ == "__main__":
    with errors_told():
        main()
