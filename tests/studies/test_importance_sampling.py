"""Importance sampling, by hand."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studies.importance_sampling import corrected, sampled
from transreward_wrappers.drae import DynamicsRatio, Trajectories, residual

ENDS = np.array([False, False, True, True])
REWARD, WEIGHT = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.5, 3.0, 2.0, 0.25])


def test_a_reward_is_weighed_by_all_steps_up_to_its_own() -> None:
    found = sampled(REWARD, WEIGHT, ENDS, gamma=0.5, normalised=False)
    assert found.tolist() == [0.5 * 1 + 0.5 * 1.5 * 2 + 0.25 * 3.0 * 4, 0.25 * 8]


def test_normalised_weights_count_an_episode_that_is_over_as_earning_nothing() -> None:
    found = sampled(REWARD, WEIGHT, ENDS, gamma=0.5, normalised=True)
    shares = 0.5 / 0.75 * np.array([1]), 1.5 / 1.75, 3.0 / 3.25
    value = shares[0].item() * 1 + 0.25 / 0.75 * 8 + 0.5 * shares[1] * 2 + 0.25 * shares[2] * 4
    assert found.mean() == pytest.approx(value)


@given(st.lists(st.floats(-5.0, 5.0), min_size=4, max_size=4), st.floats(0.01, 100.0))
def test_normalised_weights_of_one_scale_are_alike(reward: list[float], scale: float) -> None:
    ends = np.array([False, True, False, True])
    found = (
        sampled(np.array(reward), factor * WEIGHT, ends, gamma=0.9, normalised=True).mean() for factor in (1.0, scale)
    )
    assert next(found) == pytest.approx(next(found), abs=1e-9)


@pytest.mark.parametrize("normalised", [False, True])
def test_equal_weights_give_returns(normalised: bool) -> None:
    found = sampled(REWARD, np.ones(4), ENDS, gamma=1.0, normalised=normalised)
    assert found.tolist() == [7.0, 8.0]


def test_weights_beyond_all_numbers_are_no_error_and_weights_of_nothing_earn_nothing() -> None:
    many = np.full(4_000, 1e3)
    ends = np.arange(4_000) % 2_000 == 1_999
    assert sampled(many, many, ends, gamma=1.0, normalised=False).tolist() == [np.inf, np.inf]
    assert sampled(many, many, ends, gamma=1.0, normalised=True).tolist() == [2e6, 2e6]
    assert sampled(many, 0.0 * many, ends, gamma=1.0, normalised=True).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("terminated", [False, True])
@given(weights=st.lists(st.floats(0.0, 4.0), min_size=4, max_size=4))
@example(weights=WEIGHT.tolist())
def test_values_are_corrected_as_by_the_residual_form(weights: list[float], terminated: bool) -> None:
    next_value = np.array([3.0, 0.5, 2.0, 5.0])
    over = np.array([False, False, False, terminated])
    steps = Trajectories(
        reward=REWARD, value=np.array([1.0, 3.0, 0.5, 2.5]), next_value=next_value, terminated=over, ends=ENDS
    )
    q, weight = np.array([2.0, 4.0, 1.5, 3.0]), np.array(weights)
    whole = residual(steps, q, gamma=0.9, ratio=DynamicsRatio(low=weight, high=weight))
    found = corrected(steps, q, weight, gamma=0.9, normalised=False)
    assert found == pytest.approx(whole[[0, 3]])


def test_normalised_corrections_are_of_one_size_however_small_the_weights() -> None:
    zeros = np.zeros(6)
    ends = np.array([False, False, True] * 2)
    steps = Trajectories(reward=np.ones(6), value=zeros, next_value=zeros, terminated=ends, ends=ends)
    found = corrected(steps, zeros, np.full(6, 1e-3), gamma=1.0, normalised=True)
    assert found.tolist() == pytest.approx([3.0, 3.0])
