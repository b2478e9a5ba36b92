"""What :mod:`studies.drae_error` finds: its rows, and the tables that are made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from transreward_baselines.benchmark.figures import save
from transreward_baselines.plot import colours_of
from transreward_wrappers.drae import DRaE

TESTED = (f"DRaE, {DRaE.kind}", DRaE.clip)
"""Estimator and clip that rivals are compared with: the defaults, chosen before anything was measured."""

NORMALISED = ", normalised"
RIVALS = ("V", "fitted Q", "importance sampling", f"importance sampling{NORMALISED}", "direct, unit ratios")
RESAMPLES = 2_000
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One estimate."""

    pair: str
    seed: int
    settings: str
    """Of DRaE, where they are not the usual ones."""

    quality: str
    horizon: int
    estimator: str
    clip: float

    estimate: float
    """Mean over the source's episodes; what is not finite has overflowed."""

    spread: float
    """Standard deviation over the source's episodes."""

    truth: float
    truth_error: float
    """Standard error of the truth."""

    episodes: int

    @property
    def case(self) -> tuple[str, str, str, int]:
        """What all estimators are compared in."""
        return self.pair, self.settings, self.quality, self.horizon


def errors_of(rows: Sequence[Row]) -> Array:
    """Return estimates less the truth, by seed; infinite, where an estimate has overflowed."""
    found = np.array([row.estimate - row.truth for row in sorted(rows, key=lambda row: row.seed)])
    return np.where(np.isfinite(found), found, np.inf)


def squared(values: Array) -> Array:
    """Return squares, which may be infinite."""
    with np.errstate(over="ignore"):
        return np.square(values)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """How far an estimator is off in one case, over seeds; infinite, and the variance NaN, where one has overflowed."""

    pair: str
    settings: str
    quality: str
    horizon: int
    estimator: str
    clip: float
    seeds: int
    truth: float

    squared: float
    """Mean squared error."""

    low: float
    high: float
    """Its 95 % interval."""

    bias: float
    variance: float

    of_one_episode: float
    """Mean squared error of an estimate from a single episode; NaN of normalised weights, which are shares of many."""


def summary(rows: Sequence[Row]) -> Iterator[Errors]:
    """Yield the errors of each estimator in each case."""
    groups: dict[tuple[tuple[str, str, str, int], str, float], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.case, row.estimator, row.clip].append(row)
    generator = np.random.default_rng(0)
    for ((pair, settings, quality, horizon), estimator, clip), some in groups.items():
        errors = errors_of(some)
        drawn = squared(errors[generator.integers(0, len(errors), (RESAMPLES, len(errors)))]).mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
        with np.errstate(over="ignore", invalid="ignore"):
            variance = errors.var()
        one = squared(np.array([row.spread for row in some])) + squared(errors)
        yield Errors(
            pair=pair,
            settings=settings,
            quality=quality,
            horizon=horizon,
            estimator=estimator,
            clip=clip,
            seeds=len(some),
            truth=some[0].truth,
            squared=float(squared(errors).mean()),
            low=float(low),
            high=float(high),
            bias=float(errors.mean()),
            variance=float(variance),
            of_one_episode=np.nan if estimator.endswith(NORMALISED) else float(one.mean()),
        )


def errors_table(found: Sequence[Errors]) -> Table:
    """Return a summary, to be printed."""
    heads = ("pair", "settings", "V and Q", "horizon", "estimator", "clip", "MSE [95 %]", "bias", "variance")
    shown = Table(*heads, "of one episode")
    for one in found:
        named = (one.pair, one.settings, one.quality, str(one.horizon), one.estimator, f"{one.clip:g}" * (one.clip > 0))
        numbers = (f"{one.bias:+.3g}", f"{one.variance:.3g}", f"{one.of_one_episode:.3g}")
        shown.add_row(*named, f"{one.squared:.3g} [{one.low:.3g}, {one.high:.3g}]", *numbers)
    return shown


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


def ratios(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Yield, of each case, what DRaE's mean squared error is divided by that of each rival (95 % interval over seeds).

    Of a rival with several clips, it is the clip with the least error in that case.
    """
    cases: dict[tuple[str, str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        cases[row.case].append(row)
    for case, some in cases.items():
        tested = {row.seed: row for row in some if (row.estimator, row.clip) == TESTED}
        cells = []
        for rival in RIVALS:
            by_clip: dict[float, list[Row]] = defaultdict(list)
            for row in some:
                if row.estimator == rival and row.seed in tested:
                    by_clip[row.clip].append(row)
            best = min(by_clip.values(), key=lambda runs: float(squared(errors_of(runs)).mean()), default=None)
            cells.append("-" if best is None else ratio([tested[row.seed] for row in best], best))
        yield [*map(str, case), str(len(tested)), *cells]


def ratio(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """Return the ratio of two mean squared errors of the same seeds, and its 95 % interval, seeds drawn for both.

    Where both have overflowed there is none, and of one seed no interval.
    """
    mine, other = squared(errors_of(ours)), squared(errors_of(theirs))
    drawn = np.random.default_rng(0).integers(0, len(mine), (RESAMPLES, len(mine)))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = mine.mean() / other.mean()
        of_draws = mine[drawn].mean(axis=1) / other[drawn].mean(axis=1)
    if np.isnan(of_draws).any():
        return "-"
    if len(mine) == 1:
        return f"{value:.2g}"
    low, high = np.quantile(of_draws, [0.025, 0.975], method="nearest")
    return f"{value:.2g} [{low:.2g}, {high:.2g}]"


def ratios_table(rows: Sequence[Row]) -> Table:
    """Return what :func:`ratios` yields, to be printed."""
    shown = Table(*HEADS, title=f"mean squared error of {TESTED[0]}, clip {TESTED[1]:g}, over that of each rival")
    for cells in ratios(rows):
        shown.add_row(*cells)
    return shown


HEADS = ("pair", "settings", "V and Q", "horizon", "seeds", *RIVALS)
