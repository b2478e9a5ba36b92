"""What :mod:`studies.drae_error` finds: its rows, and the tables that are made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from transreward_wrappers.drae import DRaE

TESTED = (f"DRaE, {DRaE.kind}", DRaE.clip)
"""Estimator and clip that rivals are compared with: the defaults, chosen before anything was measured."""

RIVALS = ("V", "fitted Q", "importance sampling", "importance sampling, normalised", "direct, unit ratios")
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


def errors_table(rows: Sequence[Row]) -> Table:
    """Return mean squared error, its interval over seeds, bias and variance, of each estimator in each case."""
    heads = ("pair", "settings", "V and Q", "horizon", "estimator", "clip", "MSE [95 %]", "bias", "variance")
    shown = Table(*heads, "of one episode")
    groups: dict[tuple[tuple[str, str, str, int], str, float], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.case, row.estimator, row.clip].append(row)
    generator = np.random.default_rng(0)
    for (case, estimator, clip), some in groups.items():
        errors = errors_of(some)
        drawn = squared(errors[generator.integers(0, len(errors), (RESAMPLES, len(errors)))]).mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
        one = (squared(np.array([row.spread for row in some])) + squared(errors)).mean()
        with np.errstate(over="ignore", invalid="ignore"):
            spread = errors.var()
        numbers = (f"{errors.mean():+.3g}", f"{spread:.3g}", f"{one:.3g}")
        interval = f"{squared(errors).mean():.3g} [{low:.3g}, {high:.3g}]"
        shown.add_row(*map(str, case), estimator, f"{clip:g}" if clip else "", interval, *numbers)
    return shown


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
            best = min(by_clip.values(), key=lambda runs: float(squared(errors_of(runs)).mean()))
            cells.append(ratio([tested[row.seed] for row in best], best))
        yield [*map(str, case), str(len(tested)), *cells]


def ratio(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """Return the ratio of two mean squared errors of the same seeds, and its 95 % interval, seeds drawn for both."""
    mine, other = squared(errors_of(ours)), squared(errors_of(theirs))
    drawn = np.random.default_rng(0).integers(0, len(mine), (RESAMPLES, len(mine)))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = mine.mean() / other.mean()
        low, high = np.nanquantile(mine[drawn].mean(axis=1) / other[drawn].mean(axis=1), [0.025, 0.975])
    return f"{value:.2g} [{low:.2g}, {high:.2g}]"


def ratios_table(rows: Sequence[Row]) -> Table:
    """Return what :func:`ratios` yields, to be printed."""
    shown = Table(*HEADS, title=f"mean squared error of {TESTED[0]}, clip {TESTED[1]:g}, over that of each rival")
    for cells in ratios(rows):
        shown.add_row(*cells)
    return shown


HEADS = ("pair", "settings", "V and Q", "horizon", "seeds", *RIVALS)
