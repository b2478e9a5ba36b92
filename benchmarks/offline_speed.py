"""Gradient steps of the offline scripts on one core: what training runs side by side gains over one at a time.

A contender is a script with R runs at once, in float32 or bfloat16, on random data with Hopper's spaces, batches of 256
and networks 256 wide. They take turns on one thread; medians and quartiles over rounds, by CPU time, are printed, of
run-updates a second and of their ratio to those of one run in float32 in the same round.

    taskset -c 0 python -m benchmarks.offline_speed
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import ModuleType

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from tests.baselines.offline.test_scripts import AGENTS
from transreward_baselines.offline.agent import Imitates
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.streams import Streams
from transreward_wrappers.datasets import DatasetWriter, Episode
from transreward_wrappers.datasets.writer import SCHEMA

PAIR, DATA = "Hopper-dara-mass", "speed/hopper/random-v0"
EPISODES, LENGTH = 20, 1_000
SCRIPTS = {script.__name__.rpartition(".")[2]: script for script in AGENTS}
FULL_STEPS = {
    "bear": {"warmup": 0},
    "brac_p": {"warmup": 0},
    "mabe": {"warmup": 0, "branches": 100},
    "mopo": {"branches": 100},
}
"""Settings with which the first step costs what all but a few do; what is imagined each 1000th does not count."""


def write_data(root: Path) -> None:
    """Write episodes of random numbers with Hopper's spaces."""
    env, rng = gym.make("Hopper-v5"), np.random.default_rng(0)
    about = {"dataset_id": DATA, "minari_version": "0.5.3", "data_format": "hdf5"}
    writer = DatasetWriter(
        root / DATA,
        observation_space=env.observation_space,
        action_space=env.action_space,
        metadata={**about, "transreward": {"schema": SCHEMA, "seed": 0}},
    )
    with writer:
        for _ in range(EPISODES):
            writer.add(
                Episode(
                    observations=rng.normal(size=(LENGTH + 1, 11)),
                    actions=rng.uniform(-1.0, 1.0, size=(LENGTH, 3)).astype(np.float32),
                    rewards=rng.normal(size=LENGTH),
                    terminated=False,
                )
            )


def contender(name: str, runs: int, precision: str, root: Path) -> Callable[[], None]:
    """Return what takes a gradient step of a script's runs, as its training does."""
    script: ModuleType = SCRIPTS[name]
    args = script.Args(
        pair=PAIR, data=(DATA,), seeds=range(runs), bfloat16=precision == "bfloat16", **FULL_STEPS.get(name, {})
    )
    device, seeds = torch.device("cpu"), [run.seed for run in args.runs]
    data, streams = OfflineData([run.data for run in args.runs], device=device, root=root), Streams(seeds, device)
    agent, taken = AGENTS[script](args, data, streams), [0]
    if isinstance(agent, Imitates) and agent.first_steps:
        raise ValueError(f"Steps of {name} cost less at first than most do; give it a setting in `FULL_STEPS`.")

    def step() -> None:
        batch = data.sample(streams, args.batch_size)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16, cache_enabled=False):
            agent.update(batch, taken[0])
        taken[0] += 1

    return step


def rate(step: Callable[[], None], window: float) -> float:
    """Return steps a second of CPU time, found over a window of it [s] after one that does not count."""
    step()
    start, count = time.process_time(), 0
    while (passed := time.process_time() - start) < window:
        step()
        count += 1
    return count / passed


def measure(name: str, args: argparse.Namespace, root: Path) -> dict[tuple[str, int], np.ndarray]:
    """Return the run-updates a second of a script's contenders, as ``(rounds,)`` each."""
    keys = list(product(("float32", "bfloat16"), sorted({1, *args.runs})))
    running = {(precision, runs): contender(name, runs, precision, root) for precision, runs in keys}
    found: dict[tuple[str, int], list[float]] = {key: [] for key in keys}
    for turn in range(args.rounds + 1):
        for (precision, runs), step in running.items():
            value = runs * rate(step, args.window)
            if turn:
                found[precision, runs].append(value)
    return {key: np.array(values) for key, values in found.items()}


def main() -> None:
    """Print the table, a script after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--window", type=float, default=1.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"CPU time of one core, median (quartiles) of {args.rounds} rounds", box=None)
    for column in ("script", "precision", "runs at once", "run-updates/s", "against one at a time"):
        table.add_column(column, justify="left" if column in ("script", "precision") else "right")
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder))
        for name in args.scripts:
            rates = measure(name, args, Path(folder))
            for (precision, runs), values in rates.items():
                own, ratio = (np.percentile(one, [25, 50, 75]) for one in (values, values / rates["float32", 1]))
                rounded = f"{own[1]:.0f} ({own[0]:.0f} - {own[2]:.0f})"
                cells = name, precision, str(runs), rounded, f"{ratio[1]:.2f} ({ratio[0]:.2f} - {ratio[2]:.2f})"
                table.add_row(*cells)
                print(*cells, sep="\t", flush=True)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
