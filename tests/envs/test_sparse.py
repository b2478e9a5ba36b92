"""The sparse suite: reward begins beyond what random actions reach."""

import pytest

from transreward_envs import Pair, get_suite

EPISODES = 60


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
