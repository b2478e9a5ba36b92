"""Advantage-weighted regression: returns to go, and the weights of actions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.baselines.offline.conftest import FIRST, PAIR, SECOND
from transreward_baselines.awr import AWR, Args, returns_to_go
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.weights import MOST_WEIGHT, advantage_weights

CPU = torch.device("cpu")
EPISODES = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=6)


def by_hand(rewards: list[float], ends: list[bool], terminated: list[bool], value: list[float], gamma: float) -> list:
    """Return each step's return to go, with a value beyond ends that are no terminations."""
    found, following = [0.0] * len(rewards), 0.0
    for step in reversed(range(len(rewards))):
        if ends[step]:
            following = 0.0 if terminated[step] else value[step]
        following = rewards[step] + gamma * following
        found[step] = following
    return found


@given(episodes=EPISODES, gamma=st.sampled_from([0.0, 0.5, 0.9, 0.99]), seed=st.integers(0, 99))
def test_returns_to_go_are_those_of_a_loop_over_steps(
    episodes: list[tuple[int, bool]], gamma: float, seed: int
) -> None:
    ends = [step == length - 1 for length, _ in episodes for step in range(length)]
    terminated = [step == length - 1 and over for length, over in episodes for step in range(length)]
    rng = np.random.default_rng(seed)
    rewards, value = rng.normal(size=(2, len(ends)))
    truncated = np.array(ends) & ~np.array(terminated)
    columns = (torch.tensor(np.asarray(column, dtype=np.float32)) for column in (rewards, terminated, truncated))
    found = returns_to_go(*columns, gamma=gamma)
    with_values = found.sums + found.beyond * torch.from_numpy(value).float()[found.ends]
    expected = by_hand(rewards.tolist(), ends, terminated, value.tolist(), gamma)
    np.testing.assert_allclose(with_values, expected, rtol=1e-4, atol=1e-5)


def test_data_that_stop_in_an_episode_count_as_cut_there() -> None:
    found = returns_to_go(torch.ones(3), torch.zeros(3), torch.zeros(3), gamma=0.5)
    torch.testing.assert_close(found.sums, torch.tensor([1.75, 1.5, 1.0]))
    torch.testing.assert_close(found.beyond, torch.tensor([0.125, 0.25, 0.5]))
    assert found.ends.tolist() == [2, 2, 2]


def test_targets_are_returns_to_go_with_each_runs_own_value_beyond_a_cut_end() -> None:
    names = [FIRST, f"{FIRST}+{SECOND}"]
    data = OfflineData(names, device=CPU)
    agent = AWR(Args(pair=PAIR, data=names, gamma=0.9, hidden=16), data, Streams([0, 0], CPU))
    count = len(data.arrays["rewards"])
    everything = data.rows(torch.arange(count).expand(2, -1))
    values = agent.values(everything.next_observations).detach()
    terminated, truncated = (data.arrays[name].bool().tolist() for name in ("terminated", "truncated"))
    ends = [one or other for one, other in zip(terminated, truncated, strict=True)]
    assert 0 < sum(terminated) < sum(ends)
    rewards = data.arrays["rewards"].tolist()
    for run in range(2):
        expected = by_hand(rewards, ends, terminated, values[run].tolist(), 0.9)
        np.testing.assert_allclose(agent.targets(everything.where)[run], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_weights_follow_standardised_advantages_up_to_a_bound(beta: float) -> None:
    advantages = torch.randn(2, 500, generator=torch.Generator().manual_seed(0)) * torch.tensor([[3.0], [0.1]]) + 7.0
    found = advantage_weights(advantages, beta)
    standard = (advantages - advantages.mean(dim=1, keepdim=True)) / advantages.std(dim=1, keepdim=True)
    torch.testing.assert_close(found, (standard / beta).exp().clamp(max=20.0), rtol=0.02, atol=0.0)
    assert (advantage_weights(advantages, 0.1).max(dim=1).values == MOST_WEIGHT).all()


def test_equal_advantages_weigh_one() -> None:
    torch.testing.assert_close(advantage_weights(torch.full((2, 5), 3.0), 1.0), torch.ones(2, 5))
