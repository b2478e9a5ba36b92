"""The demonstration: one pair, an unmodified agent, with and without compensation.

``make demo`` trains PPO of Stable-Baselines3 with every contender and several seeds, evaluates on the plain target,
and writes a table, a figure of learning curves, and a picture of both domains under one policy. Stopped, it resumes.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from transreward_baselines.config import RunConfig
from transreward_baselines.plot import METHOD_NAMES, plot_learning_curves, runs_by_method
from transreward_baselines.render import RenderArgs, RenderError, render_in_subprocess
from transreward_baselines.results import Result
from transreward_baselines.run_directory import require_folder
from transreward_baselines.script import plain_warning, run_script
from transreward_baselines.versions import versions
from transreward_envs import get_pair, normalized_score
from transreward_envs.errors import require_count
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.policies.shipped import policy_path
from transreward_wrappers.storage import write_bytes, write_json

CONTENDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reward-transfer", {"lam": 0.25, "seed": 0}),
    ("source", {}),
    ("mixture", {}),
    ("darc", {"eta": 0.1}),
    ("target", {}),
)
"""Methods and their settings; the source run that reward transfer learns from is one for all seeds (docs/demo.md)."""

VERSIONS = "versions.json"
"""File of the directory of results that holds the versions it was begun with."""


@dataclass(frozen=True, kw_only=True)
class DemoArgs:
    """What to run."""

    out: Path = Path("runs/demo")
    """Directory of all results."""

    pair: str = "HalfCheetah-broken-bthigh"
    """The pair."""

    steps: int = 60_000
    """Environment steps of a run, of both domains together."""

    seeds: int = 3
    """Seeds of each contender, counted from 0."""

    workers: int = max(os.cpu_count() or 1, 1)
    """Runs at a time, each on one thread."""

    def __post_init__(self) -> None:
        get_pair(self.pair)
        for name in ("steps", "seeds", "workers"):
            require_count(name, getattr(self, name), at_least=1)


def run_demo(args: DemoArgs) -> None:
    """Train every contender, and write the table, the figure and the picture."""
    start = time.perf_counter()
    require_folder(args.out)
    runs = _runs(args)
    print(f"Training {len(runs)} agents for {args.steps:,} steps each on {args.pair}, {args.workers} at a time.")
    if not (begun := args.out / VERSIONS).exists():
        write_json(begun, {**versions(), "stable-baselines3": version("stable-baselines3")})
    _train_all(args, runs)
    by_method = runs_by_method(list(runs))
    table = results_table(by_method, args.pair, title=f"{args.pair}: return in the target after {args.steps:,} steps")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    write_bytes(args.out / "results.csv", _results_csv(by_method).encode())
    title = f"{args.pair}: PPO of Stable-Baselines3, evaluated in the target"
    plot_learning_curves(by_method, args.out / "learning-curves.png", title=title)
    pictures, problem = _film(args, next(directory for directory in runs if runs[directory].method == "source"))
    print(f"\nDone in {time.perf_counter() - start:.0f} s. Look at:")
    for path in (args.out / "learning-curves.png", args.out / "results.csv", *pictures):
        print(f"  {path}")
    print(f"  ({problem})" if problem else "")


def _film(args: DemoArgs, run: Path) -> tuple[list[Path], str]:
    """Return pictures of the source's expert, or of a run where none ships, or none and why: they are not needed."""
    source = domain_name(get_pair(args.pair), "source")
    who: dict[str, Any] = {"policy": "expert"} if policy_path(source, "expert").exists() else {"run": run}
    try:
        return render_in_subprocess(RenderArgs(pair=args.pair, out=args.out / "source-and-target", **who)), ""
    except RenderError as error:
        return [], str(error)


def results_table(by_method: dict[str, list[list[Result]]], pair: str, *, title: str) -> Table:
    """Return the last evaluations as a table, one row a contender; scores where the target has reference returns."""
    table = Table(title=title, caption="last evaluation, not best; steps of fitting a compensation included", box=None)
    table.add_column("contender")
    for column in (
        "target return",
        "lowest - highest",
        "score",
        "source return",
        "source steps",
        "target steps",
        "seeds",
    ):
        table.add_column(column, justify="right")
    for method, seeds in by_method.items():
        last = [results[-1] for results in seeds]
        target = np.array([result.target_return for result in last])
        table.add_row(
            METHOD_NAMES.get(method, method),
            f"{target.mean():.0f}",
            f"{target.min():.0f} - {target.max():.0f}",
            _score(pair, float(target.mean())),
            f"{np.mean([result.source_return for result in last]):.0f}",
            f"{np.mean([result.source_steps for result in last]):,.0f}",
            f"{np.mean([result.target_steps for result in last]):,.0f}",
            str(len(seeds)),
        )
    return table


def _score(pair: str, value: float) -> str:
    """Return a return in the target on the scale from random actions, 0, to the target's expert, 100."""
    try:
        return f"{normalized_score(pair, value):.1f}"
    except ValueError:  # no references are measured there
        return "-"


def _runs(args: DemoArgs) -> dict[Path, RunConfig]:
    """Return all runs, the seeds of a contender far apart so that only one waits for a fit."""
    return {
        args.out / f"{method}-seed{seed}": RunConfig(
            pair=args.pair,
            method=method,
            steps=args.steps,
            seed=seed,
            eval_every=max(args.steps // 6, 1),
            settings=settings,
        )
        for seed in range(args.seeds)
        for method, settings in CONTENDERS
    }


def _train_all(args: DemoArgs, runs: dict[Path, RunConfig]) -> None:
    """Train the runs in processes of one thread each, under one progress bar."""
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(args.workers, mp_context=context, initializer=_one_thread) as pool,
        tqdm(total=len(runs) * args.steps, unit="step", unit_scale=True, mininterval=1.0) as bar,
    ):
        progress: Any = manager.dict()
        futures = [pool.submit(_train_one, config, directory, progress) for directory, config in runs.items()]
        while True:
            done = [future for future in futures if future.done()]
            _raise_first_error(done, futures)
            bar.set_description(f"{len(done)} of {len(futures)} runs done")
            bar.update(min(sum(progress.values()), bar.total) - bar.n)
            if len(done) == len(futures):
                return
            time.sleep(0.5)


def _raise_first_error(done: list[Future[None]], futures: list[Future[None]]) -> None:
    for future in done:
        if (error := future.exception()) is not None:
            for other in futures:
                other.cancel()
            raise error


def _train_one(config: RunConfig, directory: Path, progress: Any) -> None:
    """Train one run in this process, and report its steps."""
    from transreward_baselines.train import train

    def report(steps: int) -> None:
        progress[str(directory)] = min(steps, config.steps)

    train(config, directory, report=report)
    report(config.steps)


def _one_thread() -> None:
    """Keep the processes from fighting over cores, and the bar free of theirs."""
    import torch

    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    warnings.formatwarning = plain_warning


def _results_csv(by_method: dict[str, list[list[Result]]]) -> str:
    """Return the last evaluation of every run as CSV."""
    lines = ["method,seed,step,source_steps,target_steps,target_return,source_return"]
    for method, seeds in by_method.items():
        for seed, results in enumerate(seeds):
            last = results[-1]
            lines.append(
                f"{method},{seed},{last.step},{last.source_steps},{last.target_steps},"
                f"{last.target_return:.2f},{last.source_return:.2f}"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_script(run_demo, DemoArgs)
