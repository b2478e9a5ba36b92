"""The figure of a refinement: gap and return, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from transreward_baselines.refine.convergence import Round

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot_rounds(rounds: Sequence[Round], path: Path, *, title: str) -> None:
    """Draw the gap, and the return with a band of a standard deviation over episodes, against target steps."""
    figure, (above, below) = plt.subplots(2, figsize=(7.0, 5.6), sharex=True, layout="constrained")
    steps = [one.target_steps for one in rounds]
    returns, deviations = (np.array([getattr(one, name) for one in rounds]) for name in ("return_mean", "return_std"))
    above.plot(steps, [one.gap for one in rounds], color="#d62728", marker="o", markersize=4)
    above.set(ylabel="mean squared gap")
    above.set_ylim(bottom=0.0)
    above.set_title(title, fontsize=10)
    below.plot(steps, returns, color="#2ca02c", marker="o", markersize=4)
    below.fill_between(steps, returns - deviations, returns + deviations, color="#2ca02c", alpha=0.15, linewidth=0)
    below.set(xlabel="target steps at the end of a round", ylabel="return in the target")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
