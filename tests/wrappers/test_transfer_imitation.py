"""Estimator ``imitation``: closeness to a policy's actions, beyond what the agent has in each state anyway."""

import pickle
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from tests.wrappers.test_policies import policy
from tests.wrappers.transitions import some_transitions
from transreward_wrappers import Transitions
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.imitation import Imitation

SPACE = Box(-1.0, 1.0, (2,), np.float32)
SETTINGS = FitSettings(members=2, hidden=32, updates=1, batch_size=128, learning_rate=1e-3, seed=0)


def imitation() -> Imitation:
    estimator = Imitation(3, settings=SETTINGS, every=16)
    estimator.imitate(policy(observations=3), SPACE)
    return estimator


def of_agent(far: float, *, seed: int, count: int = 400, noise: float = 0.1) -> Transitions:
    """Return what an agent does that follows the policy where the first feature is below 0, and else is ``far`` off."""
    generator = np.random.default_rng(seed)
    batch = some_transitions(count, seed=seed)
    states = generator.standard_normal((count, 3))
    own = policy(observations=3)(states).astype(np.float64)
    off = far * (states[:, :1] > 0.0) + noise * generator.standard_normal((count, 2))
    return replace(batch, observation=states, action=own + np.where(own > 0.0, -off, off))


def learnt(estimator: Imitation, far: float, *, rounds: int = 60, seed: int = 0) -> Imitation:
    for index in range(rounds):
        batch = of_agent(far, seed=seed + index)
        estimator.observe(batch, estimator(batch))
    return estimator


def easy(batch: Transitions) -> np.ndarray:
    return batch.observation[:, 0] <= 0.0


def test_no_state_pays_more_than_another_in_the_mean_however_easily_it_is_imitated() -> None:
    estimator, batch = learnt(imitation(), 0.6), of_agent(0.6, seed=1_000, count=4_000)
    clear = np.abs(batch.observation[:, 0]) > 0.3  # between both the mean is no step, but a slope
    where = easy(batch)
    closeness = estimator(batch).closeness
    assert closeness[where & clear].mean() - closeness[~where & clear].mean() > 0.25
    amount = estimator(batch).amount
    assert abs(amount[where & clear].mean()) < 0.02
    assert abs(amount[~where & clear].mean()) < 0.02


def test_a_closer_action_than_the_agents_is_paid_and_a_farther_one_costs() -> None:
    estimator, batch = learnt(imitation(), 0.6), of_agent(0.6, seed=1_000)
    closer, farther = (of_agent(far, seed=1_000, noise=0.0) for far in (0.0, 1.2))
    hard = ~easy(batch) & (batch.observation[:, 0] > 0.3)
    assert np.all(estimator(closer).amount[hard] > 0.1)
    assert np.all(estimator(farther).amount[hard] < -0.1)


def test_an_agent_that_has_changed_is_measured_by_what_it_does_now() -> None:
    estimator = learnt(imitation(), 0.6)
    better = of_agent(0.0, seed=2_000, count=4_000)
    assert estimator(better).amount[~easy(better)].mean() > 0.2
    learnt(estimator, 0.0, seed=100)
    assert abs(estimator(better).amount[~easy(better)].mean()) < 0.03


def test_what_was_learnt_goes_on_from_a_file_as_it_was(tmp_path: Path) -> None:
    methods = []
    for _ in range(2):
        method = RewardTransfer(estimator="imitation", lam=2.0, baseline_every=16, anneal_steps=10_000)
        method.bind(3, 2)
        method._estimator.imitate(policy(observations=3).as_saved(), SPACE)
        methods.append(method)
    one, other = methods
    one.update(of_agent(0.6, seed=0, count=1_001))
    one.save(tmp_path / "state.safetensors")
    other.load(tmp_path / "state.safetensors")
    third = pickle.loads(pickle.dumps(one))
    batch = of_agent(0.3, seed=7)
    for method in (one, other, third):
        for index in range(3):
            method.update(of_agent(0.3, seed=index, count=41))
    assert one(batch).any()
    assert np.array_equal(one(batch), other(batch))
    assert np.array_equal(one(batch), third(batch))
    assert one.diagnostics() == other.diagnostics()


def test_calls_alone_teach_nothing() -> None:
    estimator, batch = learnt(imitation(), 0.6, rounds=2), of_agent(0.6, seed=9)
    before = estimator(batch).amount
    for index in range(5):
        estimator(of_agent(0.0, seed=index))
    assert np.array_equal(estimator(batch).amount, before)


def test_an_end_costs_nothing_and_the_weight_falls_in_an_environment(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    policy(observations=4, actions=1).save(path)
    settings = {"estimator": "imitation", "source_policy": str(path), "lam": 1.0, "anneal_steps": 4_000}
    env = gym.make("TransReward/InvertedPendulum-mass-2.0-reward-transfer-v0", **settings, baseline_every=4)
    env.reset(seed=0)
    env.action_space.seed(0)
    paid = []
    for _ in range(4_000):
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        paid.append(info["reward/compensation"])
        if terminated or truncated:
            env.reset()
    diagnostics = env.get_wrapper_attr("diagnostics")
    assert diagnostics["closeness"] < -0.3
    plain = abs(diagnostics["closeness"])  # what ``policy`` would pay, all of it below 0
    assert abs(np.mean(paid[1_000:2_000])) < 0.2 * plain
    assert np.std(paid[1_000:2_000]) > 0.1
    assert np.max(np.abs(paid[-3:])) < 0.01
    env.close()


def test_the_weight_is_ten_unless_told_otherwise() -> None:
    for estimator, told, weight in (("imitation", {}, 10.0), ("imitation", {"lam": 0.5}, 0.5), ("policy", {}, 0.5)):
        assert RewardTransfer(estimator=estimator, **told).weight().lam == weight


@pytest.mark.parametrize("every", [0, -1])
def test_the_cadence_is_a_count(every: int) -> None:
    with pytest.raises(ValueError, match="baseline_every"):
        RewardTransfer(estimator="imitation", baseline_every=every)


def test_a_seed_starts_the_batches_anew() -> None:
    begun = learnt(imitation(), 0.6, rounds=2)
    on, again, same = (pickle.loads(pickle.dumps(begun)) for _ in range(3))
    for estimator in (again, same):
        estimator.reseed(7)
    batch = of_agent(0.3, seed=9)
    paid = [learnt(estimator, 0.3, rounds=1, seed=5)(batch).amount for estimator in (on, again, same)]
    assert np.array_equal(paid[1], paid[2])
    assert not np.array_equal(paid[0], paid[1])
