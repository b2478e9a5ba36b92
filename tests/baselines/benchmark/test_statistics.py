"""Statistics of few runs, against values worked out by hand, and by how often intervals hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transreward_baselines.benchmark import statistics
from transreward_baselines.benchmark.statistics import (
    Estimate,
    estimate,
    interquartile_mean,
    median,
    probability_of_improvement,
)

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30).map(np.array)


def test_the_interquartile_mean_is_of_the_middle_half() -> None:
    assert interquartile_mean(np.array([8.0, 1.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0])) == 4.5  # 3, 4, 5, 6
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, 3.0, -50.0])) == 2.0  # one of five is cut at each end
    assert interquartile_mean(np.array([5.0, 7.0])) == 6.0
    np.testing.assert_array_equal(interquartile_mean(np.array([[0.0, 1.0, 3.0, 9.0], [2.0] * 4])), [2.0, 2.0])


@given(scores=SCORES)
def test_the_interquartile_mean_does_not_see_how_far_the_outer_quarters_are(scores: np.ndarray) -> None:
    quarter, order = len(scores) // 4, np.argsort(scores)
    apart = scores.copy()
    apart[order[:quarter]], apart[order[len(order) - quarter :]] = -1e9, 1e9
    assert interquartile_mean(apart) == interquartile_mean(scores)
    middle = scores[order[quarter : len(order) - quarter]]
    assert interquartile_mean(scores) == pytest.approx(middle.mean())


def test_runs_are_drawn_within_their_pair() -> None:
    found = estimate(interquartile_mean, [np.zeros(3), np.full(5, 10.0)])
    assert found == Estimate(value=7.5, low=7.5, high=7.5)  # whichever runs are drawn; drawn from all, it would vary
    assert estimate(median, [np.array([1.0, 2.0, 9.0])]).value == 2.0


def test_the_interval_of_two_runs_is_from_one_to_the_other() -> None:
    found = estimate(interquartile_mean, [np.array([3.0, 5.0])])
    assert found == Estimate(value=4.0, low=3.0, high=5.0)  # both draws are the lower one in a quarter of all


def test_a_ratio_of_means_has_an_interval_that_draws_both() -> None:
    ours, theirs = np.array([1.0, 3.0]), np.array([2.0, 8.0])
    found = statistics.ratio_of_means(ours, theirs)
    assert (found.value, found.low, found.high) == (0.4, 0.125, 1.5)
    fixed = statistics.ratio_of_means(ours, np.full(4, 2.0))
    assert (fixed.value, fixed.low, fixed.high) == (1.0, 0.5, 1.5)
    assert statistics.ratio_of_means(ours, theirs[:1]).low is None


def test_one_run_of_a_pair_has_no_interval() -> None:
    assert estimate(interquartile_mean, [np.array([3.0]), np.array([1.0, 5.0])]) == Estimate(value=3.0)
    found = probability_of_improvement([np.array([3.0])], [np.array([1.0, 5.0])])
    assert found == Estimate(value=0.5)


def test_the_probability_of_improvement_counts_wins_and_half_of_ties_pair_by_pair() -> None:
    ours = [np.array([1.0, 2.0, 3.0]), np.array([10.0, 10.0])]
    theirs = [np.array([2.0, 0.0]), np.array([0.0, 0.0, 0.0, 0.0])]
    # 1 beats 0; 2 beats 0 and ties with 2; 3 beats both: 4.5 of 6. In the second pair all win.
    assert probability_of_improvement(ours, theirs).value == pytest.approx((4.5 / 6 + 1.0) / 2)


@given(ours=SCORES, theirs=SCORES)
def test_who_does_not_win_loses(ours: np.ndarray, theirs: np.ndarray) -> None:
    there, back = (statistics._wins(*pair) for pair in ((ours, theirs), (theirs, ours)))
    assert there + back == pytest.approx(1.0)
    assert statistics._wins(ours, ours) == pytest.approx(0.5)


@given(scores=SCORES, shift=st.floats(-100.0, 100.0), scale=st.floats(0.1, 10.0))
def test_what_is_estimated_moves_and_grows_with_the_scores(scores: np.ndarray, shift: float, scale: float) -> None:
    plain, moved = estimate(interquartile_mean, [scores]), estimate(interquartile_mean, [scale * scores + shift])
    assert moved.value == pytest.approx(scale * plain.value + shift, rel=1e-9, abs=1e-5)
    if plain.low is not None:
        assert plain.low <= plain.high
        assert moved.low == pytest.approx(scale * plain.low + shift, rel=1e-9, abs=1e-5)


def iqm_holds(generator: np.random.Generator) -> bool:
    """Whether the interval holds the truth, 0, for three pairs whose runs differ by 1, 3 and 10."""
    found = estimate(interquartile_mean, [generator.normal(0.0, spread, size=8) for spread in (1.0, 3.0, 10.0)])
    return found.low <= 0.0 <= found.high


def improvement_holds(generator: np.random.Generator) -> bool:
    """Whether the interval holds the probability that N(0.5, 1) is above N(0, 1)."""
    ours, theirs = ([generator.normal(mean, 1.0, size=8) for _ in range(3)] for mean in (0.5, 0.0))
    found = probability_of_improvement(ours, theirs)
    return found.low <= 0.5 * (1.0 + math.erf(0.5 / 2.0)) <= found.high


@pytest.mark.parametrize("holds", [iqm_holds, improvement_holds])
def test_intervals_hold_the_truth_about_as_often_as_they_say(
    holds: Callable[[np.random.Generator], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    generator = np.random.default_rng(0)
    coverage = np.mean([holds(generator) for _ in range(400)])
    assert 0.90 < coverage < 0.985  # a percentile bootstrap of few runs is a little narrow
