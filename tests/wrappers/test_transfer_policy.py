"""Estimator ``policy``: closeness to the actions of a policy, whatever the bounds of the action space."""

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.test_policies import policy
from tests.wrappers.transitions import some_transitions
from transreward_wrappers.policies import scale_actions, unscale_actions
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.closeness import Closeness

SPACE = Box(np.array([-3.0, 0.0], np.float32), np.array([3.0, 0.5], np.float32))


def closeness() -> Closeness:
    estimator = Closeness()
    estimator.imitate(policy(observations=3), SPACE)
    return estimator


def test_the_policys_own_actions_cost_nothing() -> None:
    batch = some_transitions(20)
    own = scale_actions(policy(observations=3)(batch.observation), SPACE).astype(np.float64)
    np.testing.assert_allclose(closeness()(replace(batch, action=own)).amount, 0.0, atol=1e-10)


@given(half=st.floats(0.0, 2.0), seed=st.integers(0, 1000))
def test_the_cost_is_the_mean_squared_difference_in_shares_of_the_bounds(half: float, seed: int) -> None:
    batch = some_transitions(20, seed=seed)
    own = policy(observations=3)(batch.observation).astype(np.float64)
    tried = np.clip(own + half, -1.0, 1.0)
    amount = closeness()(replace(batch, action=scale_actions(tried, SPACE).astype(np.float64))).amount
    np.testing.assert_allclose(amount, -np.square(tried - own).mean(axis=1), atol=1e-5)


def test_an_action_beyond_the_bounds_counts_as_one_at_them() -> None:
    batch = some_transitions(20)
    at, beyond = (replace(batch, action=np.tile(action, (20, 1))) for action in (SPACE.high, SPACE.high + 5.0))
    np.testing.assert_array_equal(closeness()(at).amount, closeness()(beyond).amount)


@given(seed=st.integers(0, 1000))
def test_scaling_to_a_space_and_back_is_the_identity(seed: int) -> None:
    actions = np.random.default_rng(seed).uniform(-1.0, 1.0, (8, 2))
    np.testing.assert_allclose(unscale_actions(scale_actions(actions, SPACE), SPACE), actions, atol=1e-6)


def test_the_weight_is_annealed_unless_told_otherwise() -> None:
    batch = some_transitions(10)
    for mode, part in ((None, 0.5), ("annealed", 0.5), ("constant", 1.0)):
        method = RewardTransfer(estimator="policy", lam=1.0, lam_mode=mode, anneal_steps=20)
        method.bind(3, 2)
        method._estimator = closeness()
        full = method(batch)
        assert np.all(full < 0.0)
        method.update(batch)
        np.testing.assert_allclose(method(batch), part * full)


def test_actions_of_a_narrow_space_are_compared_with_the_policys_in_an_environment(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    still = policy(observations=4, actions=1)
    replace(
        still,
        weights=tuple(np.zeros_like(one) for one in still.weights),
        biases=(*still.biases[:1], np.ones(1, np.float32)),
    ).save(path)
    env = gym.make(
        "TransReward/InvertedPendulum-mass-2.0-reward-transfer-v0", estimator="policy", source_policy=str(path), lam=2.0
    )
    env.reset(seed=0)
    costs = []
    for action in (3.0, 0.0, -3.0):
        env.reset()
        costs.append(env.step(np.array([action], np.float32))[4]["reward/compensation"])
    assert costs == pytest.approx([0.0, -2.0, -8.0], rel=1e-3, abs=1e-9)
