"""Figures of what contenders came to: estimates with their intervals, and return against severity."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from transreward_baselines.benchmark.contenders import slug
from transreward_baselines.benchmark.statistics import estimate, interquartile_mean
from transreward_baselines.benchmark.summary import ALL, Summary
from transreward_baselines.benchmark.table import RunRow
from transreward_baselines.plot import colours_of, contender_label
from transreward_wrappers.storage import write_bytes

COLUMNS = 4
"""Panels side by side."""


def draw_estimates(summaries: Sequence[Summary], directory: Path) -> list[Path]:
    """Draw the IQMs with their intervals, a figure an agent and a panel a pair, and return the files."""
    paths = []
    for agent in dict.fromkeys(one.agent for one in summaries):
        panels: dict[str, list[Summary]] = {}
        for one in summaries:
            if one.agent == agent and one.iqm is not None:
                panels.setdefault(one.pair, []).append(one)
        colours = colours_of(one.contender for one in summaries if one.agent == agent)
        figure, axes = _panels(len(panels), height=0.9 + 0.25 * len(colours), sharey=True)
        for panel, (pair, group) in zip(axes, panels.items(), strict=False):
            _draw_points(panel, group, colours)
            panel.set_title(f"{group[0].pairs} pairs together" if pair == ALL else pair, fontsize=8)
            panel.set_xlabel(f"{group[0].measure} in the target", fontsize=8)
        axes[0].invert_yaxis()
        figure.suptitle(f"{agent}: IQM and 95 % interval", fontsize=9)
        paths.append(save(figure, directory / f"iqm-{agent}.png"))
    return paths


def draw_severity(runs: Sequence[RunRow], directory: Path) -> list[Path]:
    """Draw return against the values of sweeps, a figure a sweep and a panel an agent and robot; return the files."""
    paths = []
    for sweep in dict.fromkeys(run.sweep for run in runs if run.sweep is not None):
        panels: dict[tuple[str, str], list[RunRow]] = {}
        for run in runs:
            if run.sweep == sweep:
                panels.setdefault((run.robot, run.agent), []).append(run)
        figure, axes = _panels(len(panels), height=3.4, sharey=False)
        colours = colours_of(run.contender for group in panels.values() for run in group)
        for panel, ((robot, agent), group) in zip(axes, panels.items(), strict=False):
            for contender, colour in colours.items():
                if runs_of := [run for run in group if run.contender == contender]:
                    _draw_line(panel, runs_of, colour)
            panel.set_title(f"{robot}, {agent}", fontsize=8)
            panel.set_xlabel(sweep, fontsize=8)
            panel.grid(alpha=0.3)
        axes[0].set_ylabel("return in the target", fontsize=8)
        lines = [Line2D([], [], color=colour, label=contender_label(name)) for name, colour in colours.items()]
        axes[0].legend(handles=lines, title="IQM, band: 95 % interval", fontsize=7, title_fontsize=7)
        paths.append(save(figure, directory / f"severity-{slug(sweep)}.png"))
    return paths


def save(figure: Any, path: Path) -> Path:
    """Write a figure, all of it or none, and close it."""
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format="png")
    plt.close(figure)
    write_bytes(path, content.getvalue())
    return path


def _panels(count: int, *, height: float, sharey: bool) -> tuple[Any, list[Any]]:
    """Return a figure with as many panels, and the panels."""
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    size = (2.0 + 3.0 * columns, 0.3 + height * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharey=sharey)
    axes = list(grid.ravel())
    for empty in axes[count:]:
        empty.set_axis_off()
    return figure, axes


def _draw_points(panel: Any, group: Sequence[Summary], colours: dict[str, str]) -> None:
    """Draw the IQMs of one pair, each at its contender's place."""
    for one in group:
        place, colour = list(colours).index(one.contender), colours[one.contender]
        if one.iqm_low is not None and one.iqm_high is not None:
            panel.hlines(place, one.iqm_low, one.iqm_high, color=colour)
        panel.plot(one.iqm, place, marker="o", color=colour)
    panel.set_yticks(range(len(colours)), [contender_label(contender) for contender in colours], fontsize=7)
    panel.margins(y=0.2)
    panel.grid(alpha=0.3, axis="x")


def _draw_line(panel: Any, runs: Sequence[RunRow], colour: str) -> None:
    """Draw the IQMs of one contender against severity."""
    severities = sorted({run.severity for run in runs if run.severity is not None})
    figures = [
        estimate(interquartile_mean, [np.array([run.target_return for run in runs if run.severity == severity])])
        for severity in severities
    ]
    panel.plot(severities, [figure.value for figure in figures], color=colour, marker="o", markersize=3)
    bounds = [[figure.value if end is None else end for end in (figure.low, figure.high)] for figure in figures]
    panel.fill_between(severities, *np.array(bounds).T, color=colour, alpha=0.15, linewidth=0)
