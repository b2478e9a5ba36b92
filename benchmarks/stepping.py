"""Steps a second of lanes, against raw physics, Gymnasium's vector environments, Stable-Baselines3's and EnvPool's.

Contenders are timed by turns in short windows. Actions are random, lanes start again when they are done. What is
found goes into a folder, and a page beside it; what is published is in docs/speed and docs/speed.md. Cells of the table
that are there already, with as many rounds, are kept: an interrupted run goes on where it was, and a CSV file that is
deleted, or asked for in more rounds, is measured anew.

    python -m benchmarks.stepping                      # everything that is missing
    python -m benchmarks.stepping --table --robots Hopper --lanes 16 --threads 1
    python -m benchmarks.stepping --scaling            # cost of a step from 16 to 4,096 lanes
    python -m benchmarks.stepping --memory             # of 256 Ants
    python -m benchmarks.stepping --report             # the page alone, from the CSV files

EnvPool takes part where it is installed, or through another interpreter that has it: `--envpool-python PATH`.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks import machine, report, scaling
from benchmarks.contenders import OURS_WORLDS, PROCESSES, RAW, RAW_WORLDS, contenders
from benchmarks.tables import Row, put, read
from benchmarks.timing import rates
from transreward_baselines.script import errors_told


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for part in ("table", "scaling", "memory", "report"):
        line.add_argument(f"--{part}", action="store_true", help=f"the {part} alone")
    line.add_argument("--robots", nargs="+", default=["Hopper", "HalfCheetah", "Ant", "Humanoid"])
    line.add_argument("--lanes", nargs="+", type=int, default=[16, 64, 256])
    line.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    line.add_argument("--rounds", type=int, default=7)
    line.add_argument("--window", type=float, default=0.5, help="how long a turn is [s]")
    line.add_argument("--contenders", nargs="*", default=[], help="by name; all when none is named")
    line.add_argument("--most-processes", type=int, default=64, help="for contenders with a process a lane")
    line.add_argument("--envpool-python", default=sys.executable if find_spec("envpool") else None)
    line.add_argument("--out", type=Path, default=report.OUT)
    return line


def measure_cell(args: argparse.Namespace, robot: str, threads: int, lanes: int) -> None:
    """Time the contenders of one cell that are not in the table yet, against raw physics, and add them to it."""
    made = contenders(robot, lanes, threads, envpool=args.envpool_python, most=args.most_processes)
    table = args.out / "stepping.csv"
    key = {"robot": robot, "threads": threads, "lanes": lanes}
    there = {
        row["contender"]
        for row in read(table)
        if all(row[name] == str(key[name]) for name in key) and int(row["rounds"]) >= args.rounds
    }
    chosen = [name for name in made if not args.contenders or name in args.contenders]
    missing = [name for name in chosen if name not in there]
    if not missing:
        return
    machine.note(args.out, envpool=args.envpool_python)
    baselines = [RAW, *([RAW_WORLDS] if OURS_WORLDS in missing else [])]
    running = {name: make() for name, make in made.items() if name in (*missing, *baselines)}
    try:
        found = rates(running, rounds=args.rounds, window=args.window)
    finally:
        for contender in running.values():
            contender.close()
    for name in missing:
        raw = found[RAW_WORLDS if name == OURS_WORLDS else RAW]
        put(table, row_of(key, name, found[name], raw), key=(*key, "contender"))


def row_of(key: dict[str, object], name: str, own: np.ndarray, raw: np.ndarray) -> Row:
    """Return medians and quartiles: steps a wall second and a CPU second, and each turn's ratios to raw physics."""
    row: Row = {**key, "contender": name, "rounds": len(own), "counts": "physics"}
    for what, values in (
        ("per_second", own[:, 0]),
        ("per_cpu_second", own[:, 1]),
        ("of_raw", own[:, 0] / raw[:, 0]),
        ("of_raw_cpu", own[:, 1] / raw[:, 1]),
    ):
        digits = 3 if what.startswith("of") else 0
        low, middle, high = (f"{value:.{digits}f}" for value in np.percentile(values, [25, 50, 75]))
        row |= {f"{what}_low": low, what: middle, f"{what}_high": high}
    return row


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and write the page."""
    args = parser().parse_args(arguments)
    everything = not (args.table or args.scaling or args.memory or args.report)
    warnings.simplefilter("ignore")
    if args.table or everything:
        for robot in args.robots:
            for threads in args.threads:
                for lanes in args.lanes:
                    if lanes > args.most_processes:
                        print(f"{lanes} lanes: {' and '.join(PROCESSES)} are left out, a process a lane.")
                    print(f"{robot}, {threads} threads, {lanes} lanes", flush=True)
                    measure_cell(args, robot, threads, lanes)
    if args.scaling or everything:
        scaling.measure(args.out / "scaling.csv", args.robots, rounds=args.rounds)
    if args.memory or everything:
        scaling.measure_memory(args.out / "memory.csv")
    report.write(args.out)


if __name__ == "__main__":
    with errors_told():
        main()
