"""What :mod:`studies.drae_error` finds: its rows, and the tables that are made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from transreward_baselines.benchmark.statistics import Estimate
from transreward_wrappers.drae import DRaE, RatioKind
from transreward_wrappers.drae.offline import PolicyRatio

TESTED = (f"DRaE, {DRaE.kind}", (DRaE.clip, PolicyRatio().clip))
"""Estimator and clips that rivals are compared with: the defaults, chosen before anything was measured."""

NORMALISED = ", normalised"
RATIOS: tuple[RatioKind, ...] = ("one", "classifier", "interval")
"""Those that are a number before what follows is known."""

SAMPLING = tuple(f"importance sampling, {kind}" for kind in RATIOS)
RIVALS = {
    "V": ("V",),
    "fitted Q": ("fitted Q",),
    "importance sampling": SAMPLING,
    f"importance sampling{NORMALISED}": tuple(f"{name}{NORMALISED}" for name in SAMPLING),
    "direct, unit ratios": ("direct, unit ratios",),
}
"""Each with the estimators that it may be."""

QUALITIES = {"poor": 1, "good": 5}
"""Gradient steps of V and Q for each of the classifiers'."""

HEADS = ("pair", "settings", "V and Q", "horizon", "seeds", *RIVALS)
KINDS_HEADS = ("settings", "estimator", "clips", *(f"{quality} V and Q" for quality in QUALITIES))
RESAMPLES = 2_000
Array = NDArray[np.float64]
Case = tuple[str, str, str, int]
"""Pair, settings, quality and horizon."""

NONE = Estimate(value=float("nan"))


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
    """Of the ratio of dynamics; 0 where there is none."""

    policy_clip: float
    """Of the ratio of policies."""

    estimate: float
    """Mean over the source's episodes; what is not finite has overflowed."""

    spread: float
    """Standard deviation over the source's episodes."""

    truth: float
    truth_error: float
    """Standard error of the truth."""

    episodes: int

    @property
    def case(self) -> Case:
        """What all estimators are compared in."""
        return self.pair, self.settings, self.quality, self.horizon

    @property
    def clips(self) -> tuple[float, float]:
        """Of both ratios."""
        return self.clip, self.policy_clip


def errors_of(rows: Sequence[Row]) -> Array:
    """Return estimates less the truth, by seed; infinite, where an estimate has overflowed."""
    found = np.array([row.estimate - row.truth for row in sorted(rows, key=lambda row: row.seed)])
    return np.where(np.isfinite(found), found, np.inf)


def squared(values: Array) -> Array:
    """Return squares, which may be infinite."""
    with np.errstate(over="ignore"):
        return np.square(values)


Cases = Mapping[Hashable, Mapping[int, Row]]
"""Rows of one estimator, by case and seed."""


@dataclass(frozen=True, kw_only=True)
class Errors:
    """How far an estimator is off in one case, over seeds; infinite, and the variance NaN, where one has overflowed."""

    pair: str
    settings: str
    quality: str
    horizon: int
    estimator: str
    clip: float
    policy_clip: float
    seeds: int
    truth: float

    squared: float
    """Mean squared error."""

    low: float
    high: float
    """Its 95 % interval."""

    bias: float
    variance: float
    """With the bias squared, it makes the error."""

    of_one_episode: float
    """Mean squared error of an estimate from a single episode; NaN of normalised weights, which are shares of many."""


def summary(rows: Sequence[Row]) -> Iterator[Errors]:
    """Yield the errors of each estimator in each case."""
    groups: dict[tuple[Case, str, tuple[float, float]], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.case, row.estimator, row.clips].append(row)
    generator = np.random.default_rng(0)
    for ((pair, settings, quality, horizon), estimator, (clip, policy_clip)), some in groups.items():
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
            policy_clip=policy_clip,
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
    heads = ("pair", "settings", "V and Q", "horizon", "estimator", "clips", "MSE [95 %]", "bias", "variance")
    shown = Table(*heads, "of one episode")
    for one in found:
        clips = named_clips((one.clip, one.policy_clip))
        named = (one.pair, one.settings, one.quality, str(one.horizon), one.estimator, clips)
        numbers = (f"{one.bias:+.3g}", f"{one.variance:.3g}", f"{one.of_one_episode:.3g}")
        shown.add_row(*named, f"{one.squared:.3g} [{one.low:.3g}, {one.high:.3g}]", *numbers)
    return shown


def named_clips(clips: tuple[float, float]) -> str:
    """Return clips as they are shown; nothing where there are none."""
    return "" if clips == (0.0, 0.0) else f"{clips[0]:g}, {clips[1]:g}"


def ratios(rows: Sequence[Row], *, equal_clips: bool = False) -> Iterator[tuple[Case, int, dict[str, Estimate]]]:
    """Yield, of each case, its seeds and DRaE's mean squared error over that of each rival.

    Of a rival with several clips and ratios, it is those with the least error in that case.

    Args:
        rows: Of any cases.
        equal_clips: Whether a rival has DRaE's own clips, if it has any.
    """
    cases: dict[Case, list[Row]] = defaultdict(list)
    for row in rows:
        cases[row.case].append(row)
    for case, some in cases.items():
        tested = [row for row in some if (row.estimator, row.clips) == TESTED]
        found = {}
        for rival, estimators in RIVALS.items():
            forms: dict[tuple[str, tuple[float, float]], list[Row]] = defaultdict(list)
            for row in some:
                allowed = not equal_clips or row.clips in (TESTED[1], (0.0, 0.0))
                if row.estimator in estimators and row.seed in by_seed(tested) and allowed:
                    forms[row.estimator, row.clips].append(row)
            best = min(forms.values(), key=lambda runs: float(squared(errors_of(runs)).mean()), default=[])
            found[rival] = ratio({case: by_seed(tested)}, {case: by_seed(best)})
        yield case, len(tested), found


def by_seed(rows: Sequence[Row]) -> dict[int, Row]:
    """Return rows of one estimator in one case, by their seeds."""
    return {row.seed: row for row in rows}


def ratio(ours: Cases, theirs: Cases) -> Estimate:
    """Return the ratio of two mean squared errors, and its 95 % interval, seeds drawn for both.

    Of several cases it is the geometric mean. Where both have overflowed it is NaN, and of one seed has no interval.
    """
    both = [case for case in ours if case in theirs]
    seeds = sorted(set.intersection(*(set(cases[case]) for case in both for cases in (ours, theirs)))) if both else []
    if not seeds:
        return NONE
    mine, other = (
        squared(np.stack([errors_of([cases[case][seed] for seed in seeds]) for case in both]))
        for cases in (ours, theirs)
    )
    drawn = np.random.default_rng(0).integers(0, len(seeds), (RESAMPLES, len(seeds)))
    with np.errstate(invalid="ignore", divide="ignore"):
        value, *of_draws = (
            np.exp((np.log(mine[:, some].mean(axis=1)) - np.log(other[:, some].mean(axis=1))).mean())
            for some in (np.arange(len(seeds)), *drawn)
        )
    if np.isnan(of_draws).any():
        return NONE
    if len(seeds) == 1:
        return Estimate(value=float(value))
    low, high = np.quantile(of_draws, [0.025, 0.975], method="nearest")
    return Estimate(value=float(value), low=float(low), high=float(high))


def told(found: Estimate) -> str:
    """Return an estimate, and its interval where there is one; a dash for none."""
    if np.isnan(found.value):
        return "-"
    value, *interval = (
        f"{number:.0f}" if 100.0 <= number < 10_000.0 else f"{number:.2g}"
        for number in (found.value, found.low, found.high)
        if number is not None
    )
    return f"{value} [{', '.join(interval)}]" if interval else value


def ratios_table(rows: Sequence[Row]) -> Table:
    """Return what :func:`ratios` yields, to be printed."""
    shown = Table(
        *HEADS, title=f"mean squared error of {TESTED[0]}, clips {named_clips(TESTED[1])}, over that of each rival"
    )
    for case, seeds, found in ratios(rows):
        shown.add_row(*map(str, case), str(seeds), *map(told, found.values()))
    return shown


def kinds(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Yield, of each estimator and its clips, the mean squared error over V's, a column a quality of V and Q.

    Over pairs and horizons it is the geometric mean, with a 95 % interval over the seeds that all of these have.
    """
    found: dict[tuple[str, str, tuple[float, float]], dict[str, dict[Hashable, dict[int, Row]]]] = {}
    for row in rows:
        qualities = found.setdefault((row.settings, row.estimator, row.clips), {})
        qualities.setdefault(row.quality, {}).setdefault((row.pair, row.horizon), {})[row.seed] = row
    for (settings, estimator, clips), qualities in found.items():
        if estimator != "V":
            values = found[settings, "V", (0.0, 0.0)]
            found_by = (ratio(qualities[name], values[name]) if name in qualities else NONE for name in QUALITIES)
            yield [settings, estimator, named_clips(clips), *map(told, found_by)]


def kinds_table(rows: Sequence[Row]) -> Table:
    """Return what :func:`kinds` yields, to be printed."""
    shown = Table(*KINDS_HEADS, title="mean squared error over that of V: geometric mean over pairs and horizons")
    for cells in kinds(rows):
        shown.add_row(*cells)
    return shown
