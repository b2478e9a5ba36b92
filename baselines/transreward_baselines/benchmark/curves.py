"""Learning curves: return in the target against target steps, and against all steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from transreward_baselines.benchmark.contenders import slug
from transreward_baselines.benchmark.figures import save
from transreward_baselines.benchmark.statistics import interquartile_mean
from transreward_baselines.benchmark.table import Curves
from transreward_baselines.plot import colours_of, contender_label
from transreward_baselines.results import Result

POINTS = 101
"""Points of a curve, between which evaluations are interpolated."""


def draw_curves(curves: Curves, directory: Path, *, target_steps: int) -> None:
    """Draw the curves, a figure an agent and pair.

    Args:
        curves: The runs' evaluations.
        directory: Folder of the figures.
        target_steps: What there is to spend in the target. Who spends nothing there, or more, is a line at its end
            among curves against target steps.
    """
    figures: dict[tuple[str, str], Curves] = {}
    for run, results in curves.items():
        figures.setdefault((run.agent, run.pair), {})[run] = results
    for (agent, pair), field in figures.items():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.8), layout="constrained", sharey=True)
        for contender, colour in colours_of(run.contender for run in field).items():
            style = {"color": colour, "label": contender_label(contender)}
            seeds = [results for run, results in field.items() if run.contender == contender]
            if all(0 < results[-1].target_steps <= target_steps for results in seeds):
                _draw(left, seeds, [[row.target_steps for row in results] for results in seeds], style)
            else:
                end = interquartile_mean(np.array([results[-1].target_return for results in seeds]))
                left.axhline(float(end), linestyle="--", linewidth=1.0, **style)
            _draw(right, seeds, [[row.source_steps + row.target_steps for row in results] for results in seeds], style)
        for panel, label in ((left, "target steps"), (right, "source and target steps")):
            panel.set_xlabel(label)
            panel.grid(alpha=0.3)
        left.set_ylabel("return in the target")
        left.legend(title="IQM, band: lowest to highest seed", fontsize=7, title_fontsize=7)
        figure.suptitle(f"{pair}, {agent}", fontsize=10)
        save(figure, directory / f"{slug(pair)}-{agent}.png")


def _draw(panel: Any, seeds: Sequence[Sequence[Result]], steps: Sequence[Sequence[int]], style: dict[str, str]) -> None:
    """Draw the IQM over seeds, and a band from the lowest to the highest, where all seeds were evaluated."""
    grid = np.linspace(max(one[0] for one in steps), min(one[-1] for one in steps), POINTS)
    returns = np.array(
        [np.interp(grid, one, [row.target_return for row in rows]) for one, rows in zip(steps, seeds, strict=True)]
    )
    panel.plot(grid, interquartile_mean(returns.T), marker="o", markersize=3, markevery=[-1], **style)
    panel.fill_between(grid, returns.min(axis=0), returns.max(axis=0), color=style["color"], alpha=0.15, linewidth=0)
