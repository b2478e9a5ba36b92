"""What building a dataset of a million transitions of Hopper takes, for each quality: time, room on disk, time to read.

Each is built in a process of its own, in a folder that is deleted, and read back as transitions.

    python -m benchmarks.dataset_cost --qualities random medium expert
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from transreward_baselines.data import QUALITIES
from transreward_wrappers.datasets import Dataset

PAIR = "Hopper-mass-2.0"


def once(quality: str, size: int) -> tuple[float, float, float, int]:
    """Return the seconds of a build with the program's start, its MB, the seconds to read it, and its episodes."""
    with tempfile.TemporaryDirectory() as root:
        words = ["--pair", PAIR, "--domain", "source", "--quality", quality, "--size", str(size), "--root", root]
        start = time.perf_counter()
        command = [sys.executable, "-m", "transreward_baselines.cli", "data", "build", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        built = time.perf_counter()
        (path,) = Path(root).glob("**/data/main_data.hdf5")
        dataset = Dataset(path.parents[1])
        read = time.perf_counter()
        assert len(dataset.transitions()) == size
        return built - start, path.stat().st_size / 1e6, time.perf_counter() - read, dataset.total_episodes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qualities", nargs="+", choices=QUALITIES, default=QUALITIES)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--size", type=int, default=1_000_000)
    args = parser.parse_args()
    table = Table(title=f"{args.size:,} transitions of {PAIR}'s source, median (range) of {args.rounds}", box=None)
    for column in ("quality", "episodes", "seconds to build", "MB", "seconds to read"):
        table.add_column(column, justify="left" if column == "quality" else "right")
    for quality in args.qualities:
        found = np.array([once(quality, args.size) for _ in range(args.rounds)])
        (build, size, read, episodes), low, high = np.median(found, axis=0), found[:, 0].min(), found[:, 0].max()
        cells = f"{episodes:,.0f}", f"{build:.0f} ({low:.0f} - {high:.0f})", f"{size:.0f}", f"{read:.1f}"
        table.add_row(quality, *cells)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
