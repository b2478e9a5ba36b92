"""Evaluations: the returns of whole episodes, side by side."""

import itertools
from typing import Any

import numpy as np
import pytest

from transreward_baselines.evaluation import evaluate_id
from transreward_envs import get_pair
from transreward_envs.batched.stepper import Stepper


def test_an_evaluation_is_that_of_episodes_run_one_by_one() -> None:
    pair = get_pair("Hopper-gravity-2.0")

    def policy(observations: np.ndarray) -> np.ndarray:
        return np.tanh(observations[:, :3]).astype(np.float32)

    returns = evaluate_id(policy, pair.id("target"), episodes=3, seed=5)
    for lane in range(3):
        env = pair.make("target")
        observation, _ = env.reset(seed=5 + lane)
        total, over = 0.0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(policy(observation[None])[0])
            total, over = total + reward, terminated or truncated
        assert returns[lane] == pytest.approx(total)


def test_lanes_whose_episode_is_over_cost_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped, advance = [], Stepper.advance

    def spy(self: Stepper, actions: np.ndarray, stepping: np.ndarray) -> Any:
        stepped.append(stepping.copy())
        return advance(self, actions, stepping)

    monkeypatch.setattr(Stepper, "advance", spy)
    evaluate_id(lambda observations: np.full((len(observations), 3), 0.2), "TransReward/Hopper-v0", episodes=6)
    lengths = np.sum(stepped, axis=0)
    assert lengths.min() < lengths.max() == len(stepped)
    assert not any((after & ~before).any() for before, after in itertools.pairwise(stepped))
