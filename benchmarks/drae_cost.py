"""What it costs to relabel a million transitions by DRaE, on one core: time and peak memory.

Estimates alone, from values and log-ratios that are there already, and all of it, with V, Q and the classifiers asked
for each transition, of Hopper's sizes. Each case runs in a process of its own, so that its memory is its own.

    python -m benchmarks.drae_cost
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import argparse
import multiprocessing
import resource
import time
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from transreward_wrappers import Transitions
from transreward_wrappers.drae import DRaE, Trajectories, added_reward, dynamics_ratio, residual, weight

OBSERVATION, ACTION = 11, 3
"""Hopper's sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is relabelled, and how."""

    name: str
    longest: int
    """Steps of an episode; of ragged ones, of the longest."""

    ragged: bool = False
    kind: str = "interval"
    tensors: bool = False
    networks: bool = False
    members: int = 3
    hidden: int = 64


CASES = (
    Case(name="estimates, episodes of 1,000", longest=1_000),
    Case(name="estimates, slide", longest=1_000, kind="slide"),
    Case(name="estimates, ragged to 1,000", longest=1_000, ragged=True),
    Case(name="estimates, episodes of 20", longest=20),
    Case(name="estimates, tensors", longest=1_000, tensors=True),
    Case(name="all, three classifiers of 64 units (default)", longest=1_000, networks=True),
    Case(name="all, one classifier of 128 units", longest=1_000, networks=True, members=1, hidden=128),
    Case(name="all, three classifiers of 128 units", longest=1_000, networks=True, hidden=128),
)


def ends_of(case: Case, count: int) -> np.ndarray:
    """Return which steps are the last of their episode."""
    ends = np.zeros(count, dtype=bool)
    if case.ragged:
        lengths = np.random.default_rng(1).integers(1, case.longest + 1, 4 * count // case.longest)
        last = np.cumsum(lengths) - 1
        ends[last[last < count]] = True
    else:
        ends[case.longest - 1 :: case.longest] = True
    ends[-1] = True
    return ends


def estimates(case: Case, count: int) -> float:
    """Return the CPU time of all estimates and rewards [s]."""
    generator = np.random.default_rng(0)
    value, reward, q, log_policies = generator.standard_normal((4, count))
    log_ratios = generator.standard_normal((case.members, count))
    ends = ends_of(case, count)
    arrays = [reward, value, np.roll(value, -1), ends, ends, q, log_policies, log_ratios]
    if case.tensors:
        arrays = [torch.from_numpy(array) for array in arrays]
    start = time.process_time()
    reward, value, next_value, terminated, ends, q, log_policies, log_ratios = arrays
    steps = Trajectories(reward=reward, value=value, next_value=next_value, terminated=terminated, ends=ends)
    given = {"gamma": 0.99, "ratio": dynamics_ratio(log_ratios, case.kind, clip=1.0)}
    estimate = residual(steps, q, policy_weight=weight(log_policies, clip=1.0), **given)
    added_reward(steps, q, estimate=estimate, **given)
    return time.process_time() - start


def everything(case: Case, count: int) -> float:
    """Return the CPU time of all that a replay buffer or a dataset is relabelled by [s]."""
    drae = DRaE(members=case.members, hidden=case.hidden, kind=case.kind, warmup=0, fit_budget=5, value_updates=1)
    drae.bind(OBSERVATION, ACTION)
    drae.update(transitions(2_000, np.arange(2_000) % 2))
    batch, ends = transitions(count, np.zeros(count, dtype=int)), ends_of(case, count)
    log_policies = np.random.default_rng(1).standard_normal(count)
    start = time.process_time()
    drae.trajectory_added(batch, ends, log_policy_ratio=log_policies)
    return time.process_time() - start


def transitions(count: int, domain: np.ndarray) -> Transitions:
    """Return transitions, each beginning where the one before ended."""
    generator = np.random.default_rng(0)
    observations = generator.standard_normal((count + 1, OBSERVATION))
    return Transitions(
        observation=observations[:-1],
        action=generator.uniform(-1.0, 1.0, (count, ACTION)),
        reward=generator.standard_normal(count),
        next_observation=observations[1:],
        terminated=np.zeros(count, dtype=bool),
        domain=domain,
    )


def measure(case: Case, count: int) -> tuple[float, float]:
    """Return the CPU time of a case [s], and the peak memory of its process [GB]."""
    torch.set_num_threads(1)
    seconds = (everything if case.networks else estimates)(case, count)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure all cases, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transitions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    table = Table("what", "CPU time, median [s]", "peak memory [GB]", box=None)
    pool = multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1)
    for case in CASES:
        found = np.array([pool.apply(measure, (case, given.transitions)) for _ in range(given.rounds)])
        table.add_row(case.name, f"{np.median(found[:, 0]):.2f}", f"{found[:, 1].max():.2f}")
    pool.close()
    pool.join()
    Console().print(table)


if __name__ == "__main__":
    main()
