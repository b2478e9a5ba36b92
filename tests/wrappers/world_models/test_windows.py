"""Episodes in memory: windows stay within them, and what is held out is never fitted to."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.world_models.systems import linear_episode, linear_store
from transreward_wrappers.datasets import Episode
from transreward_wrappers.world_models import EpisodeStore
from transreward_wrappers.world_models.windows import Stretches

lengths = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def numbered(index: int, steps: int, *, terminated: bool = False) -> Episode:
    """Return an episode whose observations tell which episode and step they are of."""
    observations = np.stack([np.full(steps + 1, float(index)), np.arange(steps + 1.0)], axis=1)
    actions = (np.arange(1.0, steps + 1.0) / 100.0)[:, None]
    return Episode(observations=observations, actions=actions, rewards=np.arange(steps) + 1.0, terminated=terminated)


@given(steps=lengths, length=st.integers(1, 8))
def test_no_window_crosses_the_end_of_an_episode(steps: list[int], length: int) -> None:
    data = Stretches([numbered(index, count) for index, count in enumerate(steps)])
    windows = data.windows(data.starts(length), length)
    episode = windows.observations[..., 0]
    assert torch.equal(episode, episode[:, :1].expand_as(episode))
    assert len(windows.mask) == sum(max(count - length + 1, 1) for count in steps)


@given(steps=lengths, length=st.integers(1, 8))
def test_steps_of_a_window_follow_one_another_and_what_lies_beyond_the_end_is_masked(
    steps: list[int], length: int
) -> None:
    data = Stretches([numbered(index, count) for index, count in enumerate(steps)])
    windows = data.windows(data.starts(length), length)
    time, there = windows.observations[..., 1], windows.mask > 0
    assert bool((time[:, 1:] - time[:, :-1] == 1.0)[there].all())
    assert bool((time[:, 1:] - time[:, :-1] == 0.0)[~there].all())
    np.testing.assert_allclose(windows.actions[..., 0][there], (time[:, :-1][there] + 1.0) / 100.0, rtol=1e-6)
    assert torch.equal(windows.rewards[there], time[:, :-1][there] + 1.0)


@given(steps=lengths)
def test_every_transition_is_in_a_window_of_one_step(steps: list[int]) -> None:
    data = Stretches([numbered(index, count) for index, count in enumerate(steps)])
    windows = data.windows(data.starts(1), 1)
    assert len(windows.mask) == len(data) == sum(steps)
    assert bool((windows.mask == 1.0).all())


def test_only_the_last_step_of_an_episode_that_terminated_says_so() -> None:
    data = Stretches([numbered(0, 3), numbered(1, 2, terminated=True), numbered(2, 2)])
    assert data.windows(data.starts(1), 1).terminated[:, 0].tolist() == [False] * 4 + [True] + [False] * 2


@pytest.mark.parametrize("episodes", [1, 5, 9, 10, 25])
def test_what_is_held_out_is_not_fitted_to_and_nothing_is_lost(episodes: int) -> None:
    store = EpisodeStore(2, 1)
    store.add((numbered(index, 40) for index in range(episodes)), kind="one")
    train, held = store.split()
    seen = [data.windows(data.starts(1), 1).observations[:, 0] for data in (train, held["one"])]
    transitions = [{tuple(row) for row in rows.tolist()} for rows in seen]
    assert not transitions[0] & transitions[1]
    assert len(transitions[0] | transitions[1]) == len(store) == 40 * episodes
    assert 0.05 < len(transitions[1]) / len(store) < 0.15


def test_each_kind_is_held_out_apart() -> None:
    store = linear_store(episodes=10)
    store.add([linear_episode(seed, 30) for seed in range(3)], kind="own")
    assert store.kinds == ("random", "own")
    _, held = store.split()
    assert {kind: len(data) for kind, data in held.items()} == {"random": 50, "own": 9}


def test_what_is_held_out_stays_so_when_more_episodes_come() -> None:
    store = linear_store(episodes=10)
    before = store.split()[1]["random"].observations
    store.add(linear_episode(99, 50), kind="random")
    assert torch.equal(store.split()[1]["random"].observations, before)


def test_equal_episodes_have_one_digest_and_others_have_others() -> None:
    digests = {linear_store().digest(), linear_store(episodes=19).digest(), linear_store(kind="own").digest()}
    assert len(digests) == 3
    assert linear_store().digest() in digests


def test_too_few_steps_are_refused() -> None:
    store = EpisodeStore(3, 2)
    with pytest.raises(ValueError, match=r"got 0 steps in 0 episodes\. Collect more"):
        store.split()
    store.add(linear_episode(0, 9))
    with pytest.raises(ValueError, match=r"10 in an episode at least, or 10 episodes of a kind; got 9 steps in 1"):
        store.split()


def test_an_episode_of_other_sizes_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"observations of 4 and actions of 2 numbers; got arrays of \(6, 3\) and \(5, 2\)"
    ):
        EpisodeStore(4, 2).add(linear_episode(0, 5))


@pytest.mark.parametrize("name", ["observations", "actions"])
def test_an_episode_with_a_number_that_is_none_is_refused(name: str) -> None:
    episode = linear_episode(0, 5)
    getattr(episode, name)[2, 0] = np.nan
    with pytest.raises(ValueError, match="must be finite; some of this episode's are NaN"):
        EpisodeStore(3, 2).add(episode)


def test_actions_that_were_scaled_to_a_domain_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[-1, 1\]; got .*unscale_actions"):
        EpisodeStore(3, 2).add(linear_episode(0, 50, most=3.0))


def test_an_episode_that_is_refused_leaves_none_of_its_company() -> None:
    store = EpisodeStore(3, 2)
    with pytest.raises(ValueError, match="must lie in"):
        store.add([linear_episode(0, 50), linear_episode(0, 50, most=3.0)])
    assert len(store) == 0
