"""The sparse suite: reward begins beyond what random actions reach."""

import numpy as np
import pytest

from transreward_baselines.lanes import Lanes, make_lanes
from transreward_envs import Pair, get_pair, get_suite
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.policies import load_policy
from transreward_wrappers.policies.shipped import policy_path

EPISODES = 60

STANDS_STILL = "Hopper-sparse-friction-2.0"
"""Where the expert of the dense reward gets nowhere; docs/references.md says so."""


def dense(pair: Pair) -> Pair:
    """Return the pair of the same shift that pays for every step."""
    return get_pair(pair.name.replace("-sparse", ""))


WITH_EXPERT = [
    pair
    for pair in get_suite("sparse")
    if pair.name != STANDS_STILL and policy_path(domain_name(dense(pair), "target"), "expert").exists()
]


@pytest.mark.slow
@pytest.mark.parametrize("pair", get_suite("sparse"), ids=lambda pair: pair.name)
def test_random_actions_earn_something_in_less_than_a_twentieth_of_episodes(pair: Pair) -> None:
    env = pair.make("target")
    env.action_space.seed(0)
    successes = 0
    for episode in range(EPISODES):
        env.reset(seed=episode)
        earned, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            earned, over = earned + float(reward), terminated or truncated
        successes += earned > 0.0
    assert successes < EPISODES / 20


@pytest.mark.parametrize("pair", get_suite("sparse"), ids=lambda pair: pair.name)
def test_the_position_that_decides_is_observed(pair: Pair) -> None:
    env = pair.make("target")
    env.reset(seed=0)
    observation, *_, info = env.step(env.action_space.sample())
    assert observation[0] == info["x_position"]


@pytest.mark.slow
@pytest.mark.parametrize("pair", WITH_EXPERT, ids=lambda pair: pair.name)
def test_the_experts_of_dense_rewards_earn_something_in_more_than_four_fifths_of_episodes(pair: Pair) -> None:
    assert share_that_earns(pair) > 0.8


@pytest.mark.slow
def test_one_expert_of_a_dense_reward_stands_still() -> None:
    assert share_that_earns(get_pair(STANDS_STILL)) == 0.0


def share_that_earns(pair: Pair) -> float:
    """Return in which share of episodes the expert of the dense reward gets to where the sparse one pays."""
    expert, count = load_policy(dense(pair)), EPISODES // 2
    lanes = Lanes(make_lanes(pair.spec("target"), count, threads=1))
    observations, earned = lanes.reset(seed=0), np.zeros(count, dtype=bool)
    going, hidden = ~earned, lanes.observation_size - expert.observation_size  # positions, which experts do not see
    while going.any():
        steps = lanes.step(expert(observations[:, hidden:]))
        earned |= going & (steps.rewards > 0.0)
        going &= ~(steps.done | earned)
        observations = steps.observations
    lanes.close()
    return float(earned.mean())


def test_some_experts_ship() -> None:
    assert {pair.robot for pair in WITH_EXPERT} >= {"Hopper", "HalfCheetah", "Ant"}
