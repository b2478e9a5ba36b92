"""How the cost of a step, and memory, grow with lanes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.tables import put, read
from transreward_envs.batched import BatchedDomain

LANES = tuple(2**power for power in range(4, 13))
BEFORE, TIMED = 100, 8
"""Steps before the first turn, and of a turn, at each number of lanes: robots that have just been dropped cost less."""

MEMORY = """
import sys
import numpy as np, psutil
from benchmarks.contenders import worlds
from transreward_envs.batched import BatchedDomain

robot, lanes, threads, apart = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True"
process = psutil.Process()
BatchedDomain(num_envs=1, robot=robot, threads=1).close()
before = process.memory_info().rss
envs = BatchedDomain(num_envs=lanes, robot=robot, threads=threads, lane_shifts=worlds(lanes) if apart else None)
envs.reset(seed=0)
for _ in range(20):
    envs.step(np.zeros(envs.action_space.shape, dtype=np.float32))
print(process.memory_info().rss - before)
"""


def measure(path: Path, robots: Sequence[str], *, rounds: int, threads: int = 1) -> None:
    """Time a step at each number of lanes, by turns [us of CPU].

    All numbers of lanes are timed in the same steps of their episodes. Robots that are in the table at each of them,
    with as many rounds, are kept.
    """
    enough = [row for row in read(path) if int(row["rounds"]) >= rounds and row["threads"] == str(threads)]
    there = {(row["robot"], int(row["lanes"])) for row in enough}
    for robot in (robot for robot in robots if not all((robot, lanes) in there for lanes in LANES)):
        machine.note(path.parent)
        sizes = {lanes: BatchedDomain(num_envs=lanes, robot=robot, threads=threads) for lanes in LANES}
        found: dict[int, list[float]] = {lanes: [] for lanes in LANES}
        for envs in sizes.values():
            envs.reset(seed=0)
            step_microseconds(envs, BEFORE, seed=rounds + 1)
        for turn in range(rounds + 1):
            for lanes, envs in sizes.items():
                cost = step_microseconds(envs, TIMED, seed=turn)
                if turn:
                    found[lanes].append(cost)
        for lanes, costs in found.items():
            low, middle, high = (f"{value:.0f}" for value in np.percentile(costs, [25, 50, 75]))
            cells = {"robot": robot, "threads": threads, "lanes": lanes, "rounds": rounds, "after": BEFORE}
            row = {**cells, "microseconds_low": low, "microseconds": middle, "microseconds_high": high}
            put(path, row, key=("robot", "threads", "lanes"))
            sizes[lanes].close()


def step_microseconds(envs: BatchedDomain, steps: int, *, seed: int) -> float:
    """Return the CPU time of a step of all lanes, with random actions [us]."""
    space = envs.action_space
    actions = np.random.default_rng(seed).uniform(space.low, space.high, (steps, *space.shape)).astype(np.float32)
    start = time.process_time()
    for action in actions:
        envs.step(action)
    return 1e6 * (time.process_time() - start) / steps


def slope(lanes: list[float], costs: list[float]) -> float:
    """Return the power of the number of lanes that the cost grows by; 1 is linear."""
    return float(np.polyfit(np.log(lanes), np.log(costs), 1)[0])


def measure_memory(path: Path, robot: str = "Ant", lanes: int = 256) -> None:
    """Measure by how much a fresh process grows with lanes in it [MB]; what is in the table already is kept."""
    there = {(row["robot"], row["lanes"], row["threads"], row["worlds"]) for row in read(path)}
    for threads in (1, 2):
        for apart in (False, True):
            worlds = "a world a lane" if apart else "one world"
            if (robot, str(lanes), str(threads), worlds) in there:
                continue
            machine.note(path.parent)
            command = [sys.executable, "-W", "ignore", "-c", MEMORY, robot, str(lanes), str(threads), str(apart)]
            grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            cells = {"robot": robot, "lanes": lanes, "threads": threads, "worlds": worlds}
            put(path, {**cells, "megabytes": f"{grown / 1e6:.0f}"}, key=("robot", "lanes", "threads", "worlds"))
