"""Rewards that are compensated when they are drawn against rewards frozen as they were paid.

`sac.py` and SAC of Stable-Baselines3 train under DARC for equal steps with either; all else is the same, the seeds too.
A run goes on where it was interrupted and is skipped once it is finished; the table and the CSV are of all finished
runs, those of earlier commands too.

    python -m studies.relabelling --agents sac --seeds 1 2 3 4 5 --steps 120000 --out runs/relabelling

Several such commands, for other seeds or agents, may fill one directory at once, each on a core of its own
(``taskset -c 0 ... --threads 1``).
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from studies.claim import claim
from transreward_baselines import sac
from transreward_baselines.config import RunConfig
from transreward_baselines.results import read_table, write_table
from transreward_baselines.run_directory import checkpoints
from transreward_baselines.script import errors_told
from transreward_baselines.settings import parse_settings
from transreward_baselines.train import train
from transreward_envs import get_pair
from transreward_wrappers.bound import make_compensation
from transreward_wrappers.darc import DARC

REWARDS = {"frozen": False, "relabelled": True}
"""Contenders, and whether they relabel."""

STEPS, RETURNS = ("source_steps", "target_steps"), ("target_return", "target_mean")
HEADS = ("agent", "rewards", "seeds", "source steps", "target steps", "last evaluation", "mean of all")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run."""

    pair: str
    agent: str
    rewards: str
    seed: int
    steps: int
    source_steps: int
    target_steps: int

    target_return: float
    """Of the last evaluation."""

    target_mean: float
    """Mean over all evaluations, which are evenly spaced: the area under the learning curve."""

    source_return: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a run is told."""

    pair: str
    agent: str
    rewards: str
    seed: int
    steps: int
    lanes: int
    eval_every: int
    settings: tuple[str, ...]
    threads: int
    out: Path

    @property
    def directory(self) -> Path:
        """Return the run's own."""
        return self.out / self.agent / self.rewards / str(self.seed)

    @property
    def finished(self) -> Path:
        """Return the file that holds the row of the run once it is over."""
        return self.out / "rows" / f"{self.agent}-{self.rewards}-{self.seed}.csv"

    def row(self, *, target: list[float], source: list[float], spent: dict[str, int], seconds: float) -> Row:
        """Return what came of it."""
        return Row(
            pair=self.pair,
            agent=self.agent,
            rewards=self.rewards,
            seed=self.seed,
            steps=self.steps,
            source_steps=spent["source"],
            target_steps=spent["target"],
            target_return=target[-1],
            target_mean=float(np.mean(target)),
            source_return=source[-1],
            seconds=seconds,
        )


def own_settings(job: Job) -> sac.Args:
    """Return what `sac.py` is told; ``ValueError`` if it is told what breaks a rule, here and below."""
    return sac.Args(
        env_id=get_pair(job.pair).id("darc"),
        settings=job.settings,
        relabel=REWARDS[job.rewards],
        seed=job.seed,
        total_steps=job.steps,
        eval_every=job.eval_every,
        checkpoint_every=job.eval_every,
        threads=job.threads,
        device="cpu",
        out=job.directory,
    )


def own(job: Job) -> Row:
    """Run `sac.py`."""
    results = sac.main(own_settings(job))
    progress = json.loads((checkpoints(job.directory)[-1] / "progress.json").read_text())
    target, source = ([row.return_mean for row in results if row.domain == role] for role in ("target", "source"))
    return job.row(target=target, source=source, spent=progress["spent"], seconds=results[-1].seconds)


def sb3_settings(job: Job) -> RunConfig:
    """Return what a run of SAC of Stable-Baselines3 is told."""
    return RunConfig(
        pair=job.pair,
        method="darc",
        agent="sb3-sac",
        n_envs=job.lanes,
        settings=parse_settings(job.settings),
        relabel=REWARDS[job.rewards],
        seed=job.seed,
        steps=job.steps,
        eval_every=job.eval_every,
        eval_episodes=10,
    )


def sb3(job: Job) -> Row:
    """Run SAC of Stable-Baselines3."""
    results = train(sb3_settings(job), job.directory)
    return job.row(
        target=[row.target_return for row in results],
        source=[row.source_return for row in results],
        spent={"source": results[-1].source_steps, "target": results[-1].target_steps},
        seconds=results[-1].seconds,
    )


AGENTS: dict[str, Callable[[Job], Row]] = {"sac": own, "sb3-sac": sb3}
SETTINGS: dict[str, Callable[[Job], sac.Args | RunConfig]] = {"sac": own_settings, "sb3-sac": sb3_settings}


def perform(job: Job) -> None:
    """Run a job, unless it is finished."""
    if not job.finished.exists():
        write_table(job.finished, [AGENTS[job.agent](job)], Row)


def table(rows: list[Row]) -> Table:
    """Return what :func:`cells` are, to be printed."""
    shown = Table(title="return in the target: medians over seeds (quartiles)", box=None)
    for column in HEADS:
        shown.add_column(column, justify="left" if column in ("agent", "rewards") else "right")
    for row in cells(rows):
        shown.add_row(*row)
    return shown


def cells(rows: list[Row]) -> Iterator[list[str]]:
    """Yield the table: medians and quartiles over seeds, and of the differences between runs of one seed."""
    for agent in AGENTS:
        runs = {name: {row.seed: row for row in rows if (row.agent, row.rewards) == (agent, name)} for name in REWARDS}
        for name, by_seed in runs.items():
            if by_seed:
                found = list(by_seed.values())
                steps = (f"{np.median([getattr(row, of) for row in found]):,.0f}" for of in STEPS)
                returns = (quartiles([getattr(row, of) for row in found]) for of in RETURNS)
                yield [agent, name, str(len(found)), *steps, *returns]
        if both := sorted(runs["frozen"].keys() & runs["relabelled"].keys()):
            more = [
                [getattr(runs["relabelled"][seed], of) - getattr(runs["frozen"][seed], of) for seed in both]
                for of in RETURNS
            ]
            yield [agent, "difference", str(len(both)), "", "", *(quartiles(values) for values in more)]


def quartiles(values: list[float]) -> str:
    """Return the median, and the quartiles in brackets; a single value as it is."""
    if len(values) == 1:
        return f"{values[0]:,.0f}"
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:,.0f} ({low:,.0f} - {high:,.0f})"


def main(words: Sequence[str] | None = None) -> None:
    """Run what is not finished, then print the table and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", default="HalfCheetah-broken-bthigh")
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=[*AGENTS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--steps", type=int, default=300_000, help="of both domains together")
    parser.add_argument("--lanes", type=int, default=1, help="of Stable-Baselines3, which updates once for all of them")
    parser.add_argument("--eval-every", type=int, default=20_000)
    parser.add_argument("--set", dest="settings", nargs="*", default=[], help="of DARC, such as eta=0.1")
    parser.add_argument("--threads", type=int, default=1, help="that step lanes; all CPUs when 0")
    parser.add_argument("--out", type=Path, default=Path("runs/relabelling"))
    args = parser.parse_args(words)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    settings = {name: vars(args)[name] for name in ("pair", "steps", "lanes", "eval_every", "settings")}
    get_pair(args.pair)
    make_compensation(DARC, parse_settings(tuple(args.settings)))
    common = {**settings, "settings": tuple(args.settings), "threads": args.threads, "out": args.out}
    jobs = [
        Job(agent=agent, rewards=rewards, seed=seed, **common)
        for seed in args.seeds  # seed by seed, so that an unfinished experiment has a bit of everything
        for agent in args.agents
        for rewards in REWARDS
    ]
    for job in jobs:
        SETTINGS[job.agent](job)
    claim(args.out, settings)
    for job in jobs:
        perform(job)
    rows = [row for path in sorted((args.out / "rows").glob("*.csv")) for row in read_table(path, Row)]
    Console(width=140).print(table(rows))
    write_table(args.out / "relabelling.csv", rows, Row)
    print(f"A row a run is in {args.out / 'relabelling.csv'}.")


if __name__ == "__main__":
    with errors_told():
        main()
