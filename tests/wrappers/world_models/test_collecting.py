"""Episodes that a policy makes in lanes: whole, cut where they are under way, and ended as the task ended."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from transreward_wrappers.policies import UniformPolicy
from transreward_wrappers.world_models import EpisodeStore, collect


class Counting(VectorEnv[Any, Any, Any]):
    """Two lanes whose observations tell lane, episode and step; one terminates, one is truncated, at given lengths."""

    def __init__(self, *, fails: int = -1, mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> None:
        self.num_envs = 2
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = Box(-np.inf, np.inf, (3,))
        self.single_action_space = Box(-2.0, 2.0, (1,))
        self._fails, self._calls = fails, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        self._state = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
        self._over = np.zeros(2, dtype=bool)
        return self._state, {}

    def step(self, actions: Any) -> tuple[Any, ...]:
        self._calls += 1
        assert (np.abs(actions) <= 2.0).all()
        again = self._over.copy()
        self._state[again, 1] += 1.0
        self._state[again, 2] = 0.0
        self._state[~again, 2] += 1.0
        failed = np.array([self._calls == self._fails, False])
        terminated = (self._state[:, 2] == 3.0) & (self._state[:, 0] == 0.0) & ~again | failed
        truncated = (self._state[:, 2] == 5.0) & (self._state[:, 0] == 1.0) & ~again
        self._over = terminated | truncated
        rewards = 10.0 * self._state[:, 0] + self._state[:, 2]
        return self._state, rewards, terminated, truncated, {"physics_failed": failed}


def test_episodes_are_whole_and_end_as_the_task_did() -> None:
    episodes = collect(Counting(), UniformPolicy(action_size=1), 12, seed=0)
    assert sum(map(len, episodes)) >= 12
    for episode in episodes:
        lane, number, steps = episode.observations.T
        assert len(set(zip(lane, number, strict=True))) == 1  # of one lane and one episode
        np.testing.assert_array_equal(steps, np.arange(len(episode) + 1))
        np.testing.assert_array_equal(episode.rewards, 10.0 * lane[1:] + steps[1:])
        assert episode.terminated == (lane[0] == 0.0 and len(episode) == 3)
        assert (np.abs(episode.actions) <= 1.0).all()
    assert {len(episode) for episode in episodes if episode.terminated} == {3}
    assert any(len(episode) == 5 and not episode.terminated for episode in episodes)  # truncated is no end of the task


def test_a_step_at_which_the_physics_failed_is_left_out_and_ends_nothing() -> None:
    episodes = collect(Counting(fails=2), UniformPolicy(action_size=1), 8, seed=0)
    first = next(episode for episode in episodes if episode.observations[0, 0] == 0.0)
    assert (len(first), first.terminated) == (1, False)
    for episode in episodes:
        np.testing.assert_array_equal(episode.observations[:, 2], np.arange(len(episode) + 1))


def test_equal_seeds_give_equal_episodes_of_a_real_domain() -> None:
    stores = []
    for seed in (0, 0, 1):
        envs = gym.make_vec("transreward_envs:TransReward/InvertedPendulum-v0", num_envs=3)
        stores.append(EpisodeStore(4, 1))
        stores[-1].add(collect(envs, UniformPolicy(action_size=1), 100, seed=seed))
        envs.close()
    assert len(stores[0]) >= 100
    assert stores[0].digest() == stores[1].digest() != stores[2].digest()


def test_lanes_that_cannot_serve_are_refused() -> None:
    policy = UniformPolicy(action_size=1)
    with pytest.raises(ValueError, match=r"must start again at the next step, AutoresetMode\.NEXT_STEP"):
        collect(Counting(mode=AutoresetMode.SAME_STEP), policy, 5, seed=0)
    envs = Counting()
    envs.single_action_space = Discrete(2)
    with pytest.raises(ValueError, match="Observations and actions must be vectors"):
        collect(envs, policy, 5, seed=0)
    with pytest.raises(ValueError, match="`steps` must be an integer >= 1"):
        collect(Counting(), policy, 0, seed=0)
