"""What alignments cost: the planner's DTW of 1,000 candidates, a step of the streaming rows, a pair on the host.

All run by turns in one process on one thread; medians and quartiles over rounds, of CPU time, are printed, and whether
the limits were kept.

    python -m benchmarks.alignment_cost
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from transreward_wrappers.alignment import Reference, StreamingRows, align, dtw_distance, dtw_totals, progress

FEATURES = 17
"""Of HalfCheetah and Walker2d."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is timed."""

    name: str
    run: Callable[[], object]
    repeats: int
    """Calls in a round."""

    per: int = 1
    """Parts of a call that a time is told for."""

    limit: float | None = None
    """In microseconds a part."""


def reference(steps: int) -> Reference:
    """Return a random walk as a reference."""
    generator = np.random.default_rng(steps)
    walk = generator.standard_normal((steps, FEATURES)).cumsum(axis=0)
    return Reference(observations=walk, rewards=generator.standard_normal(steps))


def near(followed: Reference, *shape: int) -> np.ndarray:
    """Return noisy copies of a reference, as ``(*shape, T, D)``."""
    noise = np.random.default_rng(0).standard_normal((*shape, *followed.observations.shape))
    return followed.observations + 0.3 * followed.scale * noise


def planner(band: int | None = None) -> Callable[[], object]:
    """Return the scoring of 1,000 candidates, costs included."""
    followed = reference(50)
    candidates = torch.tensor(near(followed, 1_000), dtype=torch.float32)
    return lambda: dtw_totals(candidates, followed, band=band)


def streaming(lanes: int, references: int = 1, *, pay: bool = False) -> Callable[[], object]:
    """Return a step of the rows of a reference of 200 steps; they begin anew when it is over."""
    followed = [reference(200) for _ in range(references)]
    rows, seen, count = StreamingRows(followed, lanes=lanes), near(followed[0], lanes), 0

    def step() -> None:
        nonlocal count
        if count % 200 == 0:
            rows.reset()
        before, after = rows.state, rows.step(seen[:, count % 200])
        count += 1
        if pay:
            progress(before, after)

    return step


def jobs() -> list[Job]:
    """Return what is timed."""
    followed = reference(1_000)
    (other,) = near(followed, 1)
    normalised = other / followed.scale
    return [
        Job(name="1,000 candidates, T 50", run=planner(), repeats=10, limit=8_000.0),
        Job(name="the same, band 5", run=planner(5), repeats=10),
        Job(name="streaming row, T_ref 200, one env", run=streaming(1), repeats=200, limit=40.0),
        Job(name="the same, with the reward of progress", run=streaming(1, pay=True), repeats=200),
        Job(name="64 lanes, a lane", run=streaming(64), repeats=20, per=64, limit=15.0),
        Job(name="the same, with the reward of progress", run=streaming(64, pay=True), repeats=20, per=64),
        Job(name="64 lanes, 4 references, a lane", run=streaming(64, 4), repeats=20, per=64, limit=15.0),
        Job(
            name="a pair, 1,000 x 1,000: distance", run=lambda: dtw_distance(normalised, followed.normalised), repeats=1
        ),
        Job(name="the same: costs and alignment", run=lambda: align(followed.costs(other)), repeats=1),
    ]


def microseconds(job: Job) -> float:
    """Return the CPU time of a part of a call [us]."""
    start = time.process_time()
    for _ in range(job.repeats):
        job.run()
    return 1e6 * (time.process_time() - start) / (job.repeats * job.per)


def main() -> None:
    """Print the table, and whether the limits were kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    args = parser.parse_args()
    torch.set_num_threads(1)
    running = jobs()
    times = np.array([[microseconds(job) for job in running] for _ in range(args.rounds + 1)])[1:]
    table = Table(title=f"CPU microseconds, {args.rounds} rounds; observations of {FEATURES} features", box=None)
    for column in ("what", "median", "quartiles", "limit"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for job, (low, middle, high) in zip(running, np.percentile(times, [25, 50, 75], axis=0).T, strict=True):
        limit = "" if job.limit is None else f"{job.limit:,.0f}{'' if middle <= job.limit else ', BROKEN'}"
        table.add_row(job.name, f"{middle:,.1f}", f"{low:,.1f} - {high:,.1f}", limit)
    Console(width=120).print(table)
    print(f"Limits kept: {'NO' if any('BROKEN' in str(cell) for cell in table.columns[-1].cells) else 'yes'}")


if __name__ == "__main__":
    main()
