"""The figure of what :mod:`studies.drae_error` finds: bias and deviation of estimates, apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from studies.drae_error_tables import Errors
from transreward_baselines.benchmark.figures import save
from transreward_baselines.plot import colours_of
from transreward_wrappers.drae import DRaE


def draw(found: Sequence[Errors], path: Path, *, clip: float = DRaE.clip) -> None:
    """Draw bias and standard deviation of each estimator at one clip, a panel a pair and a line of them a quality.

    Args:
        found: Those of the usual settings are drawn, if there are any.
        path: Of the figure.
        clip: That is drawn, where there are several.
    """
    shown = [one for one in found if one.clip in (0.0, clip) and not one.settings]
    if not shown:
        return
    pairs, qualities = (list(dict.fromkeys(getattr(one, name) for one in shown)) for name in ("pair", "quality"))
    size = (3.2 * len(pairs), 3.0 * len(qualities))
    figure, grid = plt.subplots(
        len(qualities), len(pairs), figsize=size, squeeze=False, layout="constrained", sharex=True, sharey="col"
    )
    horizons = sorted({one.horizon for one in shown})
    for (quality, pair), axes in zip(product(qualities, pairs), grid.flat, strict=True):
        mine = [one for one in shown if (one.pair, one.quality) == (pair, quality)]
        if not mine:  # not measured yet
            axes.set_axis_off()
            continue
        names = list(dict.fromkeys(one.estimator for one in mine))
        for horizon, colour in zip(horizons, colours_of(map(str, horizons)).values(), strict=True):
            at = {one.estimator: one for one in mine if one.horizon == horizon}
            places = np.arange(len(names)) + 0.22 * (horizons.index(horizon) - (len(horizons) - 1) / 2)
            for value, marker, what in (("bias", "o", "|bias|"), ("variance", "_", "standard deviation")):
                given = np.array([getattr(at[name], value) for name in names])
                given = np.abs(given) if value == "bias" else np.sqrt(given)
                axes.plot(places, given, marker, color=colour, label=f"{what}, horizon {horizon}", markersize=5)
        axes.set(yscale="log", title=f"{pair}\n{quality} V and Q, value {mine[0].truth:.0f}")
        axes.title.set_fontsize(9)
        axes.set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names], rotation=90, fontsize=7)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.tick_params(axis="y", which="both", labelsize=7)
        axes.grid(alpha=0.3)
    handles, labels = max((axes.get_legend_handles_labels() for axes in grid.flat), key=lambda pair: len(pair[0]))
    figure.legend(handles, labels, loc="outside upper center", ncols=max(len(pairs) - 1, 1), fontsize=8)
    save(figure, path)
