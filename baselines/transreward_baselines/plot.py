"""Learning curves: target return against steps, one line a method, from the results of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from transreward_baselines.config import RunDirectoryError, read_config
from transreward_baselines.results import Result, read_results

matplotlib.use("Agg")
import matplotlib.pyplot as plt

METHOD_COLOURS = {
    "source": "#7f7f7f",
    "target": "#000000",
    "mixture": "#1f77b4",
    "reward-transfer": "#2ca02c",
    "darc": "#d62728",
}
METHOD_NAMES = {
    "source": "source only",
    "target": "target only",
    "mixture": "mixture",
    "reward-transfer": "reward transfer",
    "darc": "DARC",
}


def runs_by_method(directories: Sequence[Path]) -> dict[str, list[list[Result]]]:
    """Return the results of runs, by method; the runs must be of one pair and one agent.

    Raises:
        RunDirectoryError: A directory is no run, has no results, or is of another pair or agent.
    """
    runs: dict[str, list[list[Result]]] = {}
    kinds = set()
    for directory in directories:
        config, results = read_config(directory), read_results(directory)
        if not results:
            raise RunDirectoryError(f"{directory} has no results yet. Train it further first.")
        kinds.add((config.pair, config.agent))
        runs.setdefault(config.method, []).append(results)
    if len(kinds) > 1:
        listing = ", ".join(f"{pair} with {agent}" for pair, agent in sorted(kinds))
        raise RunDirectoryError(f"One figure shows runs of one pair and agent; got {listing}.")
    return runs


def plot_learning_curves(runs: Mapping[str, list[list[Result]]], path: Path, *, title: str) -> None:
    """Draw the mean over seeds, and a band from the lowest to the highest seed, and write the figure."""
    figure, axes = plt.subplots(figsize=(7.0, 4.2), layout="constrained")
    for method, seeds in runs.items():
        length = min(len(results) for results in seeds)
        steps = [result.step for result in seeds[0][:length]]
        returns = np.array([[result.target_return for result in results[:length]] for results in seeds])
        colour = METHOD_COLOURS.get(method)
        name = f"{METHOD_NAMES.get(method, method)} ({len(seeds)} seed{'s' if len(seeds) > 1 else ''})"
        (line,) = axes.plot(steps, returns.mean(axis=0), color=colour, label=name, marker="o", markersize=3)
        axes.fill_between(
            steps, returns.min(axis=0), returns.max(axis=0), color=line.get_color(), alpha=0.15, linewidth=0
        )
    axes.set(xlabel="environment steps (source + target)", ylabel="return in the target")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(title="mean, band: lowest to highest seed", fontsize=8, title_fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
