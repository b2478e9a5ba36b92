"""The figure of an alignment: its costs and path, the two trajectories joined by it, and what it pays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from transreward_wrappers.alignment import Alignment, Carry, Reference, StreamingRows, progress, transport
from transreward_wrappers.dtw.settings import DTWSettings

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FEATURES = 3
"""Features that are drawn, those that vary most between the beginning and the end of a step."""

JOINTS = 60
"""Lines that join the two trajectories, at most."""

SOURCE, TARGET = "#1f77b4", "#d62728"

STYLES: dict[Carry, str] = {"total": "--", "balanced": "-", "mean": "-."}
"""Of the lines of what is paid."""


def plot_alignment(
    alignment: Alignment, source: Reference, target: Reference, path: Path, *, tau: float, title: str
) -> None:
    """Draw an alignment.

    Args:
        alignment: Of the target with the source.
        source: What is followed.
        target: What follows it.
        path: The figure's.
        tau: Cost at which the gate pays 1/e.
        title: Of the figure.
    """
    figure = plt.figure(figsize=(13.0, 7.0), layout="constrained")
    grid = figure.add_gridspec(FEATURES, 3, width_ratios=(1.0, 1.3, 1.0))
    _draw_costs(figure, figure.add_subplot(grid[:, 0]), alignment)
    shown = np.argsort(-np.abs(np.diff(source.normalised, axis=0)).mean(axis=0), kind="stable")[:FEATURES]
    for row, feature in enumerate(shown):
        axes = figure.add_subplot(grid[row, 1])
        _draw_curves(axes, alignment, source, target, int(feature))
        if row == 0:
            axes.set_title("joined by the alignment", fontsize=10)
    axes.set_xlabel("step")
    _draw_rewards(figure.add_subplot(grid[:, 2]), alignment, source, target, tau)
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_costs(figure: Any, axes: Any, alignment: Alignment) -> None:
    """Draw the cost matrix, and the path or the assignment on it."""
    image = axes.imshow(np.log10(alignment.costs + 1e-3), origin="lower", aspect="auto", cmap="viridis")
    figure.colorbar(image, ax=axes, label="log10 of the cost", location="bottom")
    if alignment.path is not None:
        axes.plot(alignment.path[:, 1], alignment.path[:, 0], color="white", linewidth=1.5)
    else:
        matched = np.flatnonzero(alignment.weights.any(axis=1))
        axes.plot(alignment.weights[matched].argmax(axis=1), matched, ".", color="white", markersize=3)
    axes.set(xlabel="source step", ylabel="target step", title=f"total {alignment.total:.3g}")


def _draw_curves(axes: Any, alignment: Alignment, source: Reference, target: Reference, feature: int) -> None:
    """Draw one feature of both, the target's below, and lines between steps that go together."""
    above = source.normalised[:, feature]
    below = target.observations[:, feature] / source.scale[feature]
    below = below - (below.max() - above.min()) - 1.0
    steps = np.unique(np.linspace(0, len(below) - 1, min(JOINTS, len(below))).astype(int))
    steps = steps[alignment.weights[steps].any(axis=1)]  # those that go with none have no line
    matched = alignment.weights.argmax(axis=1)
    for step in steps:
        axes.plot([step, matched[step]], [below[step], above[matched[step]]], color="#bbbbbb", linewidth=0.6, zorder=0)
    axes.plot(above, color=SOURCE, label="source")
    axes.plot(below, color=TARGET, label="target, shifted down")
    axes.set_ylabel(f"observation {feature}", fontsize=8)
    axes.tick_params(left=False, labelleft=False)
    axes.legend(fontsize=7, loc="upper right")


def _draw_rewards(axes: Any, alignment: Alignment, source: Reference, target: Reference, tau: float) -> None:
    """Draw what the source was paid, and what is paid for the target, added up."""
    axes.plot(np.cumsum(source.rewards), color=SOURCE, label="source, its own")
    plain = transport(alignment, source.rewards, tau=None)
    axes.plot(np.cumsum(plain), color=TARGET, linestyle=":", label="transport, plain, total")
    for carry, style in STYLES.items():
        gated = transport(alignment, source.rewards, carry=carry, tau=tau, floor=source.floor)
        axes.plot(np.cumsum(gated), color=TARGET, linestyle=style, label=f"transport, gated, {carry}")
    axes.plot(np.cumsum(streamed(source, target, tau)), color="#2ca02c", label="progress")
    axes.set(xlabel="step", title="reward so far")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def streamed(source: Reference, target: Reference, tau: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what ``progress`` pays for each step of the target, as ``(T,)``: nothing once the source is over."""
    rows, paid = StreamingRows(source), []
    for observation in target.observations:
        before = rows.state
        amount = progress(before, rows.step(observation[None]), tau=tau, penalty=DTWSettings.penalty / tau)[0]
        paid.append(0.0 if before.over[0] else amount)
    return np.array(paid)
