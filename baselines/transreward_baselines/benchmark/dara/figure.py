"""The figure of the table: by how much DARA's rewards help in each cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from transreward_baselines.benchmark.dara.page import with_interval
from transreward_baselines.benchmark.dara.summary import Gain, Verdict
from transreward_baselines.benchmark.figures import save

BETTER, WORSE = "#2ca02c", "#d62728"


def draw_gains(gains: Sequence[Gain], verdicts: Sequence[Verdict], path: Path) -> Path:
    """Draw the gain of each cell with its interval, a panel an algorithm, and return the file."""
    algorithms = list(dict.fromkeys(one.algorithm for one in gains))
    cells = list(dict.fromkeys((one.pair, one.quality) for one in gains))
    size = (2.0 + 2.2 * len(algorithms), 1.4 + 0.22 * len(cells))
    figure, grid = plt.subplots(1, len(algorithms), figsize=size, layout="constrained", squeeze=False, sharey=True)
    for panel, algorithm in zip(grid[0], algorithms, strict=True):
        for one in gains:
            if one.algorithm == algorithm:
                place, colour = cells.index((one.pair, one.quality)), BETTER if one.gain > 0.0 else WORSE
                if one.low is not None and one.high is not None:
                    panel.hlines(place, one.low, one.high, color=colour)
                panel.plot(one.gain, place, marker="o", markersize=4, color=colour)
        own = next(one for one in verdicts if one.algorithm == algorithm)
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.set_title(f"{algorithm}: {own.won} of {own.cells}\n{with_interval(own)}", fontsize=8)
        panel.set_xlabel("gain in score", fontsize=8)
        panel.tick_params(axis="x", labelsize=7)
        panel.locator_params(axis="x", nbins=4)
        panel.grid(alpha=0.3, axis="x")
    grid[0, 0].set_yticks(range(len(cells)), [f"{pair} {quality}" for pair, quality in cells], fontsize=7)
    grid[0, 0].invert_yaxis()
    everything = verdicts[-1]
    figure.suptitle(
        f"1T+10S: DARA against no augmentation, better in {everything.won} of {everything.cells} cells, mean gain "
        f"{with_interval(everything)}",
        fontsize=9,
    )
    return save(figure, path)
