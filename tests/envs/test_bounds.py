"""Bounds of observations: an episode ends where, and only where, an observation leaves them."""

import warnings

import gymnasium as gym
import numpy as np
import pytest

import transreward_envs
from transreward_envs import get_pair
from transreward_envs.robots.bounds import BOUNDS, observation_bounds

ENDING = ("Hopper", "Walker2d", "Ant", "Humanoid", "InvertedPendulum")


def ends_and_leavings(env: gym.Env, robot: str, *, episodes: int, most_steps: int = 400) -> tuple[list, list]:
    """Return of each step of random actions whether the task ended, and whether the observation left its bounds."""
    low, high = observation_bounds(robot, env.unwrapped)
    generator, ended, left = np.random.default_rng(0), [], []
    for seed in range(episodes):
        env.reset(seed=seed)
        for _ in range(most_steps):
            action = generator.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
            observation, _, terminated, truncated, _ = env.step(action)
            ended.append(bool(terminated))
            left.append(bool(((observation < low) | (observation > high)).any()))
            if terminated or truncated:
                break
    return ended, left


@pytest.mark.parametrize("robot", BOUNDS)
def test_tasks_end_where_observations_leave_their_bounds(robot: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*settotalmass.*")
        ended, left = ends_and_leavings(gym.make(f"TransReward/{robot}-v0"), robot, episodes=4)
    assert ended == left
    assert any(ended) == (robot in ENDING)


@pytest.mark.parametrize("pair", ["Hopper-limb-shin-0.8", "Walker2d-mass-2.0"])
def test_bounds_are_those_of_the_shifted_domain(pair: str) -> None:
    found = get_pair(pair)
    ended, left = ends_and_leavings(found.make("target"), found.robot, episodes=4)
    assert ended == left
    assert any(ended)


def test_settings_of_a_domain_count() -> None:
    forgiving = gym.make("TransReward/Hopper-v0", terminate_when_unhealthy=False).unwrapped
    assert not np.isfinite(observation_bounds("Hopper", forgiving)).any()
    whole = gym.make("TransReward/Hopper-v0", exclude_current_positions_from_observation=False).unwrapped
    low, high = observation_bounds("Hopper", whole)
    assert (low[0], low[1], high[2]) == (-np.inf, 0.7, 0.2)


def test_robots_whose_observations_do_not_tell_are_refused() -> None:
    domain = gym.make("TransReward/InvertedDoublePendulum-v0").unwrapped
    with pytest.raises(ValueError, match="tells where the task ends for Hopper, .* for InvertedDoublePendulum it does"):
        observation_bounds("InvertedDoublePendulum", domain)
    assert transreward_envs.ROBOTS.keys() > BOUNDS.keys()
