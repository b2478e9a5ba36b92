"""``transreward show --classifier RUN``: how well a run's domain classifiers do, and where its two worlds disagree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from transreward_baselines.console import console
from transreward_baselines.needs import import_modules, meet_needs
from transreward_baselines.run_directory import RunDirectoryError, checkpoints, read_settings
from transreward_baselines.settings import parse_settings
from transreward_baselines.training_ids import find_training_pair
from transreward_envs import METHODS, Pair, get_pair
from transreward_wrappers.bound import load_compensation, make_compensation, setting_names
from transreward_wrappers.darc.classified import Classified
from transreward_wrappers.darc.report import ClassifierReport, Judgement, report

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Array = NDArray[np.float64]
NAMES = {"of_pairs": "(s, a)", "of_triples": "(s, a, s')"}
BINS = 24
"""Of the slice, in each direction."""

FEWEST = 3
"""Transitions that a cell of the slice shows the mean of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A run's compensation as its newest checkpoint has it."""

    pair: Pair
    compensation: Classified


def load_trained(run: Path) -> Trained:
    """Return the classifiers that a run of any script, or of ``transreward train``, has learned.

    Raises:
        RunDirectoryError: It has no compensation with classifiers, or no checkpoint.
    """
    settings = read_settings(run)
    meet_needs(run)
    import_modules(settings.get("imports", ()))
    if "env_id" in settings:
        found = find_training_pair(settings["env_id"])
        pair, method = found if found is not None else (None, "")
        keywords = parse_settings(tuple(settings["settings"]))
    else:
        pair, method, keywords = get_pair(settings["pair"]), settings["method"], settings["settings"]
    name = METHODS[method].compensation if method in METHODS else None
    files = [path / "compensation.safetensors" for path in checkpoints(run)]
    if pair is None or name is None or not files or not files[-1].exists():
        raise RunDirectoryError(f"A run with a compensation and a checkpoint is needed; {run} has not both.")
    cls = load_compensation(name)
    if not issubclass(cls, Classified):
        raise RunDirectoryError(f"DARC, DARA and DRaE have classifiers; {run} is of {cls.__name__}.")
    known = {field: value for field, value in keywords.items() if field in setting_names(cls)}
    compensation = make_compensation(cls, known)
    assert isinstance(compensation, Classified)
    env: gym.Env[Any, Any] = pair.make("source")
    compensation.bind(int(np.prod(env.observation_space.shape or ())), int(np.prod(env.action_space.shape or ())))
    env.close()
    compensation.load(files[-1])
    return Trained(pair=pair, compensation=compensation)


def show_classifier(run: Path, out: Path | None) -> None:
    """Print how a run's classifiers do, and draw it.

    Args:
        run: Its directory.
        out: The figure; ``classifier.png`` in the run's directory when left out.

    Raises:
        RunDirectoryError: The run has no classifiers.
    """
    trained = load_trained(run)
    found = report(trained.compensation)
    table = Table(title=f"{trained.pair.name}: domain classifiers on held-out transitions", box=None)
    for column in ("classifier", "accuracy", "cross-entropy", "calibration error"):
        table.add_column(column, justify="left" if column == "classifier" else "right")
    for field, name in NAMES.items():
        one: Judgement = getattr(found, field)
        table.add_row(name, f"{one.accuracy:.3f}", f"{one.cross_entropy:.3f} nats", f"{one.calibration.error:.3f}")
    console().print(table)
    for domain, ratios in found.log_ratios.items():
        low, middle, high = np.quantile(ratios, [0.05, 0.5, 0.95])
        print(
            f"dr in the {domain}: mean {ratios.mean():.2f}, median {middle:.2f}, from {low:.2f} to {high:.2f} nats in "
            f"nine of ten, {len(ratios):,} transitions"
        )
    print(f"Clipped at {found.clip:g} nats: {found.clip_rate:.1%} of the source's.")
    path = out or run / "classifier.png"
    plot_report(found, path, title=trained.pair.name)
    print(f"The figure is {path}.")


def plot_report(found: ClassifierReport, path: Path, *, title: str) -> None:
    """Draw calibration, dr by domain, and a slice of the state space that shows where the two worlds disagree."""
    figure, axes = plt.subplots(1, 3, figsize=(13.0, 4.0), layout="constrained")
    for field, name in NAMES.items():
        one: Judgement = getattr(found, field)
        axes[0].plot(one.calibration.said, one.calibration.found, marker="o", label=f"{name}, {one.accuracy:.0%} right")
    axes[0].plot([0.0, 1.0], [0.0, 1.0], color="#999999", linewidth=1, zorder=0)
    axes[0].set(xlabel="probability of the target, as said", ylabel="share of target transitions", title="calibration")
    axes[0].legend(fontsize=8)
    edges = np.linspace(-found.clip, found.clip, 61)
    for domain, ratios in found.log_ratios.items():
        clipped = np.clip(ratios, -found.clip, found.clip)
        axes[1].hist(clipped, edges, density=True, alpha=0.6, label=f"{domain}, mean {ratios.mean():.2f}")
    axes[1].set(xlabel="dr, clipped [nats]", ylabel="density", title="by domain", yscale="log")
    axes[1].legend(fontsize=8)
    _draw_slice(figure, axes[2], found)
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_slice(figure: Any, axes: Any, found: ClassifierReport) -> None:
    """Draw the mean of dr over the two features of ``(s, a, s' - s)`` that tell most about it."""
    rows, ratios = found.rows["source"].astype(np.float64), np.clip(found.log_ratios["source"], -found.clip, found.clip)
    explained = np.array([explained_share(column, ratios) for column in rows.T])
    first, second = np.argsort(explained)[::-1][:2]
    ranges = [np.quantile(rows[:, column], [0.005, 0.995]) for column in (first, second)]
    count, *edges = np.histogram2d(rows[:, first], rows[:, second], BINS, ranges)
    total, *_ = np.histogram2d(rows[:, first], rows[:, second], BINS, ranges, weights=ratios)
    mean = np.where(count >= FEWEST, total / np.maximum(count, 1), np.nan)
    bound = float(np.nanmax(np.abs(mean))) if np.isfinite(mean).any() else 1.0
    mesh = axes.pcolormesh(*edges, mean.T, cmap="RdBu", vmin=-bound, vmax=bound)
    figure.colorbar(mesh, ax=axes, label="mean dr in the source [nats]")
    observations, actions = found.observation_size, rows.shape[1] - 2 * found.observation_size
    names = [feature_name(int(column), observations, actions) for column in (first, second)]
    axes.set(xlabel=names[0], ylabel=names[1], title="where the worlds disagree")


def explained_share(feature: Array, values: Array) -> float:
    """Return the share of the variance of values that the mean in each of ``BINS`` bins of a feature explains."""
    if np.ptp(feature) == 0.0 or values.var() == 0.0:
        return 0.0
    edges = np.unique(np.quantile(feature, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    index = np.searchsorted(edges, feature)
    count = np.maximum(np.bincount(index), 1)
    means = np.bincount(index, weights=values) / count
    return float(means[index].var() / values.var())


def feature_name(column: int, observations: int, actions: int) -> str:
    """Return what a column of ``s``, ``a`` and ``s' - s`` side by side is."""
    if column < observations:
        return f"observation {column}"
    if column < observations + actions:
        return f"action {column - observations}"
    return f"change of observation {column - observations - actions}"
