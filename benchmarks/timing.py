"""Timing by turns: what the machine does besides falls on all contenders alike."""

from __future__ import annotations

import os
import time

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.contenders import Contender


def cpu_seconds() -> float:
    """Return the CPU time of this process and its children [s], this process's to the nanosecond."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    times = [one.cpu_times() for one in children]
    return time.process_time() + float(sum(one.user + one.system for one in times))


def rates(running: dict[str, Contender], *, rounds: int, window: float) -> dict[str, NDArray[np.float64]]:
    """Return steps a wall second and a CPU second of each contender, as ``(rounds, 2)``, timed by turns.

    Args:
        running: The contenders.
        rounds: How often each has its turn, after one that does not count.
        window: How long a turn is [s].
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
    for turn in range(rounds + 1):
        for name, contender in running.items():
            contender.step()
            cpu, count = cpu_seconds(), 0
            wall = time.perf_counter()
            while time.perf_counter() - wall < window:
                count += contender.step()
            taken = time.perf_counter() - wall
            if turn:
                found[name].append((count / taken, count / max(cpu_seconds() - cpu, 1e-9)))
    return {name: np.array(values) for name, values in found.items()}
