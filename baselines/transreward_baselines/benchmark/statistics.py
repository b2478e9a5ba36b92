"""Statistics of few runs: Agarwal et al. 2021 (arXiv:2108.13264).

Scores come as strata, one array of runs a pair. Intervals are percentiles of a bootstrap that draws runs within each
stratum, from a fixed seed, so that the same scores have the same interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Strata = Sequence[Array]
Statistic = Callable[[Array], Array]
"""From scores ``(..., runs)`` to one figure each, ``(...)``."""

RESAMPLES = 2_000
LEVELS = (2.5, 97.5)
"""Percentiles of a 95 % interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; a stratum of one run tells nothing of how runs differ, and gives none."""

    value: float
    low: float | None = None
    high: float | None = None


def interquartile_mean(scores: Array) -> Array:
    """Return the mean of the middle half along the last axis; a quarter, rounded down, is cut off at each end."""
    cut = scores.shape[-1] // 4
    middle: Array = np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut].mean(axis=-1)
    return middle


def median(scores: Array) -> Array:
    """Return the median along the last axis."""
    middle: Array = np.median(scores, axis=-1)
    return middle


def mean(scores: Array) -> Array:
    """Return the mean along the last axis."""
    middle: Array = np.mean(scores, axis=-1)
    return middle


def estimate(statistic: Statistic, strata: Strata) -> Estimate:
    """Return a statistic of all runs of all strata together, with its interval."""
    value = float(statistic(np.concatenate(list(strata))))
    if min(len(stratum) for stratum in strata) < 2:
        return Estimate(value=value)
    generator = np.random.default_rng(0)
    return _with_interval(value, statistic(np.concatenate([_resampled(one, generator) for one in strata], axis=-1)))


def mean_of_means(groups: Strata) -> Estimate:
    """Return the mean over strata of their means, with its interval: each stratum counts alike, whatever its runs.

    Args:
        groups: Those strata together, as ``(strata, runs)``, that share what differs between runs, which are drawn for
            all of them at once. NaN where a stratum lacks a run that another has; one that has none of those drawn is
            left out of that draw.
    """
    value = float(np.mean(np.concatenate([mean_of_those(group) for group in groups])))
    if min(np.isfinite(group).sum(axis=-1).min() for group in groups) < 2:
        return Estimate(value=value)
    generator = np.random.default_rng(0)
    means = np.concatenate([mean_of_those(_resampled(group, generator)) for group in groups])
    return _with_interval(value, mean_of_those(means.T))


def mean_of_those(scores: Array) -> Array:
    """Return the mean along the last axis of the scores that there are; NaN where there are none."""
    there = np.isfinite(scores)
    count, total = there.sum(axis=-1), np.where(there, scores, 0.0).sum(axis=-1)
    found: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return found


def ratio_of_means(ours: Array, theirs: Array) -> Estimate:
    """Return the mean of our runs over that of theirs, as ``(runs,)`` each, with an interval that draws both."""
    value = float(ours.mean() / theirs.mean())
    if min(len(ours), len(theirs)) < 2:
        return Estimate(value=value)
    generator = np.random.default_rng(0)
    drawn, rivals = (_resampled(runs, generator).mean(axis=-1) for runs in (ours, theirs))
    return _with_interval(value, drawn / rivals)


def probability_of_improvement(ours: Strata, theirs: Strata) -> Estimate:
    """Return the probability that a run of ours beats one of theirs in a pair drawn at random, ties counting a half.

    It is the mean over pairs of Mann and Whitney's U statistic over its largest value; runs of both are drawn.
    """
    value = float(np.mean([_wins(one, other) for one, other in zip(ours, theirs, strict=True)]))
    if min(len(stratum) for stratum in (*ours, *theirs)) < 2:
        return Estimate(value=value)
    generator = np.random.default_rng(0)
    drawn = [
        _wins(_resampled(one, generator), _resampled(other, generator)) for one, other in zip(ours, theirs, strict=True)
    ]
    return _with_interval(value, np.mean(drawn, axis=0))


def _wins(ours: Array, theirs: Array) -> Any:
    """Return the share of comparisons that ours win, from ``(..., n)`` and ``(..., m)``, as ``(...)``."""
    difference = ours[..., :, None] - theirs[..., None, :]
    return (0.5 * (np.sign(difference) + 1.0)).mean(axis=(-2, -1))


def _resampled(scores: Array, generator: np.random.Generator) -> Array:
    """Return as many of ``(..., runs)`` drawn with replacement, many times over, as ``(..., resamples, runs)``."""
    runs = scores.shape[-1]
    return scores[..., generator.integers(runs, size=(RESAMPLES, runs))]


def _with_interval(value: float, drawn: Array) -> Estimate:
    low, high = np.percentile(drawn, LEVELS)
    return Estimate(value=value, low=float(low), high=float(high))
