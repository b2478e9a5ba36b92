"""The figure of what :mod:`studies.drae_error` finds: bias and deviation of estimates, apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from studies.drae_error_tables import TESTED, Errors
from transreward_baselines.benchmark.figures import save
from transreward_baselines.plot import colours_of


def draw(found: Sequence[Errors], path: Path) -> None:
    """Draw bias and deviation of each estimator at DRaE's clips, a panel a pair and a line of them a quality.

    Args:
        found: Those of the usual settings are drawn, if there are any.
        path: Of the figure.
    """
    shown = [one for one in found if (one.clip, one.policy_clip) in ((0.0, 0.0), TESTED[1]) and not one.settings]
    if not shown:
        return
    pairs, qualities, names = (
        list(dict.fromkeys(getattr(one, of) for one in shown)) for of in ("pair", "quality", "estimator")
    )
    size = (2.4 + 3.0 * len(pairs), 0.8 + (0.8 + 0.2 * len(names)) * len(qualities))
    figure, grid = plt.subplots(
        len(qualities), len(pairs), figsize=size, squeeze=False, layout="constrained", sharex="col", sharey=True
    )
    horizons = sorted({one.horizon for one in shown})
    for (quality, pair), axes in zip(product(qualities, pairs), grid.flat, strict=True):
        mine = [one for one in shown if (one.pair, one.quality) == (pair, quality)]
        if not mine:  # not measured yet
            axes.set_axis_off()
            continue
        for horizon, colour in zip(horizons, colours_of(map(str, horizons)).values(), strict=True):
            at = {one.estimator: one for one in mine if one.horizon == horizon}
            there = [name for name in names if name in at]
            shifted = 0.2 * (horizons.index(horizon) - (len(horizons) - 1) / 2)
            places = np.array([names.index(name) for name in there]) + shifted
            bias, variance = (np.array([getattr(at[name], of) for name in there]) for of in ("bias", "variance"))
            axes.plot(np.abs(bias), places, "o", color=colour, label=f"|bias|, horizon {horizon}", markersize=4)
            axes.plot(np.sqrt(variance), places, "|", color=colour, label=f"deviation, horizon {horizon}", markersize=6)
        axes.set(xscale="log", title=f"{pair}\n{quality} V and Q, value {mine[0].truth:.0f}")
        axes.title.set_fontsize(9)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=7)
        axes.grid(alpha=0.3)
    grid[0, 0].invert_yaxis()
    handles, labels = max((axes.get_legend_handles_labels() for axes in grid.flat), key=lambda pair: len(pair[0]))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(horizons), fontsize=8)
    save(figure, path)
