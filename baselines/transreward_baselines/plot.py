"""Learning curves: target return against steps, one line a method, from the results of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib
import numpy as np

from transreward_baselines.config import RunConfig, read_config
from transreward_baselines.results import Result, read_results
from transreward_baselines.run_directory import RunDirectoryError

matplotlib.use("Agg")
import matplotlib.pyplot as plt

METHOD_COLOURS = {
    "source": "#7f7f7f",
    "target": "#000000",
    "mixture": "#1f77b4",
    "reward-transfer": "#2ca02c",
    "darc": "#d62728",
    "dara": "#ff7f0e",
    "drae": "#9467bd",
}
METHOD_NAMES = {
    "source": "source only",
    "target": "target only",
    "mixture": "mixture",
    "reward-transfer": "reward transfer",
    "darc": "DARC",
    "dara": "DARA",
    "drae": "DRaE",
}


SPARE_COLOURS = ("#8c564b", "#e377c2", "#17becf", "#bcbd22", "#aec7e8", "#98df8a", "#ff9896", "#c5b0d5")
"""Of contenders with settings, and of methods without a colour of their own."""


def colours_of(contenders: Iterable[str]) -> dict[str, str]:
    """Return a colour for each contender, its method's own where it has no settings."""
    spare, colours = cycle(SPARE_COLOURS), {}
    for contender in dict.fromkeys(contenders):
        colours[contender] = METHOD_COLOURS.get(contender) or next(spare)
    return colours


def contender_label(contender: str) -> str:
    """Return what a contender such as ``darc:eta=0.1`` is called in tables and figures."""
    method, _, settings = contender.partition(":")
    return f"{METHOD_NAMES.get(method, method)}{f' ({settings})' if settings else ''}"


def runs_by_method(directories: Sequence[Path]) -> dict[str, list[list[Result]]]:
    """Return the results of runs, by method, and by setting too where runs of a method differ in theirs.

    Raises:
        RunDirectoryError: A directory is no run, has no results, repeats a run, is of another pair or agent, or was
            evaluated at other steps than those of its method.
    """
    configs = {directory.resolve(): read_config(directory) for directory in directories}
    kinds = {(config.pair, config.agent) for config in configs.values()}
    if len(kinds) > 1:
        listing = ", ".join(f"{pair} with {agent}" for pair, agent in sorted(kinds))
        raise RunDirectoryError(f"One figure shows runs of one pair and agent; got {listing}.")
    variants = {config.method: set[str]() for config in configs.values()}
    for config in configs.values():
        variants[config.method].add(_variant(config))
    runs: dict[str, dict[int, list[Result]]] = {}
    for directory, config in configs.items():
        results = read_results(directory)
        if not results:
            raise RunDirectoryError(f"{directory} has no results yet. Train it further first.")
        several = len(variants[config.method]) > 1
        seeds = runs.setdefault(f"{config.method} {_variant(config)}" if several else config.method, {})
        if config.seed in seeds:
            raise RunDirectoryError(
                f"Each seed counts once; {directory} repeats seed {config.seed} of {config.method}."
            )
        if any(
            ours.step != theirs.step for other in seeds.values() for ours, theirs in zip(results, other, strict=False)
        ):
            raise RunDirectoryError(f"{directory} was evaluated at other steps than the runs that it is averaged with.")
        seeds[config.seed] = results
    return {name: list(seeds.values()) for name, seeds in runs.items()}


def _variant(config: RunConfig) -> str:
    """Return what tells runs of one method apart."""
    settings = {**config.settings, "target_budget": config.target_budget, "n_envs": config.n_envs}
    if config.agent == "sb3-sac" and config.compensated:
        settings |= {name: getattr(config, name) for name in ("relabel", "learn_from", "whole_episodes")}
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()) if value is not None)


def plot_learning_curves(runs: Mapping[str, list[list[Result]]], path: Path, *, title: str) -> None:
    """Draw the mean over seeds, and a band from the lowest to the highest seed, and write the figure."""
    figure, axes = plt.subplots(figsize=(7.0, 4.2), layout="constrained")
    colours = colours_of(runs)
    for method, seeds in runs.items():
        length = min(len(results) for results in seeds)
        steps = [result.step for result in seeds[0][:length]]
        returns = np.array([[result.target_return for result in results[:length]] for results in seeds])
        name = f"{METHOD_NAMES.get(method, method)} ({len(seeds)} seed{'s' if len(seeds) > 1 else ''})"
        axes.plot(steps, returns.mean(axis=0), color=colours[method], label=name, marker="o", markersize=3)
        axes.fill_between(
            steps, returns.min(axis=0), returns.max(axis=0), color=colours[method], alpha=0.15, linewidth=0
        )
    axes.set(xlabel="environment steps (source + target)", ylabel="return in the target")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(title="mean, band: lowest to highest seed", fontsize=8, title_fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
