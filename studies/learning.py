"""Return against wall-clock time: the PPO and SAC here against Stable-Baselines3's.

Each run trains for a number of seconds, in which evaluations do not count. A run is kept as it goes and skipped once it
is finished, so that the same command goes on after an interruption; the table and the figure are of all finished runs.

    python -m studies.learning --seeds 1 2 3 4 5 --out runs/learning

Several such commands, for other seeds or contenders, may fill one directory at once, each on a core of its own
(``taskset -c 0 ... --threads 1``).
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from studies.claim import claim
from transreward_baselines import ppo, sac
from transreward_baselines.evaluation import evaluate_id
from transreward_baselines.results import Evaluation, read_table
from transreward_baselines.sb3.agents import policy_of
from transreward_baselines.sb3.lanes import make_vec
from transreward_baselines.sb3.settings import ROLLOUT, agent_settings
from transreward_baselines.script import errors_told
from transreward_baselines.tuned import tuned

matplotlib.use("Agg")
import matplotlib.pyplot as plt

THRESHOLDS = {"Hopper": 2_000.0, "HalfCheetah": 5_000.0}
"""Returns that are of use, by task."""

SECONDS = {"Hopper": 90.0, "HalfCheetah": 180.0}
"""Wall-clock time of a run, by task [s]."""

EPISODES = 10
FOREVER = 10**9


@dataclass(frozen=True, kw_only=True)
class Row:
    """One evaluation."""

    contender: str
    task: str
    seed: int
    seconds: float
    step: int
    return_mean: float


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run."""

    contender: str
    task: str
    seed: int
    seconds: float
    threads: int
    torch_threads: int
    out: Path

    @property
    def stem(self) -> Path:
        """Return its path, but for an extension."""
        return self.out / f"{self.contender}-{self.task}-{self.seed}"

    @property
    def env_id(self) -> str:
        """Return the id of its task."""
        return f"TransReward/{self.task}-v0"


def own(script: Any, eval_every: int) -> Callable[[Job], Iterator[Evaluation]]:
    """Return how a script from here runs."""

    def run(job: Job) -> Iterator[Evaluation]:
        args = script.Args(
            **tuned(script.TUNED, job.env_id),
            env_id=job.env_id,
            seed=job.seed,
            out=job.stem,
            total_steps=FOREVER if script is ppo else 1_000_000,
            max_seconds=job.seconds,
            eval_every=eval_every,
            eval_episodes=EPISODES,
            checkpoint_every=20 * eval_every,
            threads=job.threads,
            torch_threads=job.torch_threads,
        )
        yield from script.main(args)

    return run


def sb3_ppo(lanes: int) -> Callable[[Job], Iterator[Evaluation]]:
    """Return how Stable-Baselines3's PPO runs, on lanes."""

    def make(job: Job) -> BaseAlgorithm:
        envs = make_vec(job.env_id, lanes, seed=job.seed, reports=False, threads=job.threads)
        settings = agent_settings("sb3-ppo", job.task)
        normalised = VecNormalize(envs, gamma=settings["gamma"])
        return PPO("MlpPolicy", normalised, seed=job.seed, n_steps=ROLLOUT // lanes, device="cpu", **settings)

    return lambda job: sb3(job, make, eval_every=25_000)


def sb3_sac(job: Job) -> Iterator[Evaluation]:
    """Run Stable-Baselines3's SAC on one environment."""

    def make(job: Job) -> BaseAlgorithm:
        env: VecEnv = DummyVecEnv([lambda: gym.make(job.env_id)])
        env.seed(job.seed)
        return SAC("MlpPolicy", env, seed=job.seed, device="cpu", **agent_settings("sb3-sac", job.task))

    return sb3(job, make, eval_every=2_000)


class Deadline(BaseCallback):
    """Ends training when its time is over."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.perf_counter() + seconds

    def _on_step(self) -> bool:
        return time.perf_counter() < self._end


def sb3(job: Job, make: Callable[[Job], BaseAlgorithm], *, eval_every: int) -> Iterator[Evaluation]:
    """Train an agent of Stable-Baselines3 until the time is over, and give its evaluations."""
    agent, seconds = make(job), 0.0
    assert agent.env is not None
    with closing(agent.env):
        while seconds < job.seconds:
            start = time.perf_counter()
            agent.learn(eval_every, reset_num_timesteps=False, callback=Deadline(job.seconds - seconds))
            seconds += time.perf_counter() - start
            returns = evaluate_id(policy_of(agent), job.env_id, episodes=EPISODES, threads=job.threads)
            yield Evaluation(
                step=agent.num_timesteps,
                seconds=seconds,
                domain="plain",
                return_mean=float(returns.mean()),
                return_std=float(returns.std()),
                episodes=EPISODES,
            )


CONTENDERS: dict[str, Callable[[Job], Iterator[Evaluation]]] = {
    "ppo": own(ppo, 25_000),
    "sac": own(sac, 4_000),
    "sb3-ppo": sb3_ppo(16),
    "sb3-ppo-64": sb3_ppo(64),
    "sb3-sac": sb3_sac,
}


def perform(job: Job) -> None:
    """Run a job, unless it is finished; its rows are written as they come."""
    finished, part = job.stem.with_suffix(".csv"), job.stem.with_suffix(".part")
    if finished.exists():
        return
    torch.set_num_threads(job.torch_threads)
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        for result in CONTENDERS[job.contender](job):
            row = Row(
                contender=job.contender,
                task=job.task,
                seed=job.seed,
                seconds=result.seconds,
                step=result.step,
                return_mean=result.return_mean,
            )
            writer.writerow(asdict(row))
            file.flush()
    os.replace(part, finished)


def by_run(rows: list[Row], task: str) -> dict[str, list[list[Row]]]:
    """Return the runs of a task, by contender."""
    runs: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        if row.task == task:
            runs.setdefault((row.contender, row.seed), []).append(row)
    grouped: dict[str, list[list[Row]]] = {}
    for name in CONTENDERS:
        if found := [run for (contender, _), run in runs.items() if contender == name]:
            grouped[name] = found
    return grouped


def seconds_to(threshold: float, run: list[Row]) -> float:
    """Return when a run was first evaluated at a return or above; infinity if it never was."""
    return min((row.seconds for row in run if row.return_mean >= threshold), default=np.inf)


def show(rows: list[Row], task: str) -> None:
    """Print the table of a task."""
    threshold = THRESHOLDS[task]
    table = Table(title=f"{task}: medians over seeds (quartiles)", box=None)
    columns = ("contender", "seeds", "seconds", "steps", "return at the end", f"seconds to {threshold:,.0f}", "reached")
    for column in columns:
        table.add_column(column, justify="left" if column == "contender" else "right")
    for name, runs in by_run(rows, task).items():
        low, middle, high = np.percentile([run[-1].return_mean for run in runs], [25, 50, 75])
        times = [seconds_to(threshold, run) for run in runs]
        reached = sum(np.isfinite(times))
        median = float(np.percentile(times, 50, method="higher"))
        table.add_row(
            name,
            f"{len(runs)}",
            f"{np.median([run[-1].seconds for run in runs]):.0f}",
            f"{np.median([run[-1].step for run in runs]):,.0f}",
            f"{middle:,.0f} ({low:,.0f} - {high:,.0f})",
            f"{median:.0f}" if np.isfinite(median) else "-",
            f"{reached}/{len(runs)}",
        )
    Console(width=120).print(table)


def draw(rows: list[Row], path: Path) -> None:
    """Draw return against wall-clock time: the median over seeds, and a band between the quartiles."""
    tasks = [task for task in THRESHOLDS if by_run(rows, task)]
    figure, panels = plt.subplots(1, len(tasks), figsize=(5.2 * len(tasks), 3.9), layout="constrained", squeeze=False)
    for axes, task in zip(panels[0], tasks, strict=True):
        for name, runs in by_run(rows, task).items():
            grid = np.linspace(0.0, min(run[-1].seconds for run in runs), 200)
            curves = [
                np.interp(grid, [r.seconds for r in run], [r.return_mean for r in run], left=np.nan) for run in runs
            ]
            shown = ~np.isnan(curves).any(axis=0)
            low, middle, high = np.percentile(np.array(curves)[:, shown], [25, 50, 75], axis=0)
            (line,) = axes.plot(grid[shown], middle, label=f"{name} ({len(runs)} seeds)")
            axes.fill_between(grid[shown], low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.axhline(THRESHOLDS[task], color="#7f7f7f", linewidth=0.8, linestyle="--")
        axes.set(title=task, xlabel="wall-clock time of training [s]", ylabel="return")
        axes.grid(alpha=0.3)
    panels[0][-1].legend(title="median, band: quartiles", fontsize=8, title_fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    """Run what is not finished, then print a table a task and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS])
    parser.add_argument("--tasks", nargs="+", choices=THRESHOLDS, default=[*THRESHOLDS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--seconds", type=float, help="of every run; each task has its own when left out")
    parser.add_argument("--threads", type=int, default=0, help="that step lanes; all CPUs when 0")
    parser.add_argument("--torch-threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    parser.add_argument("--figure", type=Path, help="learning.png in `--out` when left out")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    settings = {"seconds": args.seconds, "threads": args.threads, "torch_threads": args.torch_threads}
    claim(args.out, settings)
    for seed in args.seeds:  # seed by seed, so that an unfinished experiment has a bit of everything
        for task in args.tasks:
            for contender in args.contenders:
                seconds = args.seconds or SECONDS[task]
                perform(
                    Job(contender=contender, task=task, seed=seed, out=args.out, **{**settings, "seconds": seconds})
                )
    rows = [row for path in sorted(args.out.glob("*.csv")) for row in read_table(path, Row)]
    for task in args.tasks:
        show(rows, task)
    figure = args.figure or args.out / "learning.png"
    draw(rows, figure)
    print(f"The figure is {figure}.")


if __name__ == "__main__":
    with errors_told():
        main()
