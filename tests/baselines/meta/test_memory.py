"""Episodes that are kept, and what is drawn from them."""

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from tests.baselines.telltale import act, telltale_lanes
from transreward_baselines.meta.episodes import Episodes, play
from transreward_baselines.meta.memory import EpisodeMemory

LENGTHS = np.array([[3, 6, 1], [6, 2, 5]])
"""Of the episodes of two tasks."""


def filled(capacity: int = 3) -> EpisodeMemory:
    """Return a memory whose observations tell task, episode and step."""
    memory = EpisodeMemory(2, capacity, 6, 3, 1)
    for episode in range(3):
        task, step = np.meshgrid(np.arange(2), np.arange(7), indexing="ij")
        told = np.stack([task, np.full_like(task, episode), step], axis=-1).astype(np.float32)
        memory.add(
            Episodes(
                observations=told,
                actions=told[:, :-1, 2:] / 10.0,
                rewards=told[:, 1:, 2],
                log_densities=-told[:, :-1, 2],
                lengths=LENGTHS[:, episode],
                terminated=LENGTHS[:, episode] < 6,
            )
        )
    return memory


def test_transitions_are_drawn_alike_and_whole() -> None:
    memory, generator = filled(), np.random.default_rng(0)
    steps = memory.draw(np.array([1, 0]), 13_000, generator)
    assert np.array_equal(steps.source, np.repeat([1, 0], 13_000))
    assert np.array_equal(steps.observations[:, 0], steps.source)
    assert np.array_equal(steps.next_observations, steps.observations + np.eye(3)[2])
    assert np.array_equal(steps.rewards, steps.next_observations[:, 2])
    assert np.array_equal(steps.log_densities, -steps.observations[:, 2])
    for task, total in enumerate(LENGTHS.sum(axis=1)):
        mine = steps.observations[steps.source == task]
        places, counts = np.unique(mine, axis=0, return_counts=True)
        assert len(places) == total
        assert np.allclose(counts / 13_000, 1.0 / total, rtol=0.15)
    lengths = LENGTHS[steps.source, steps.observations[:, 1].astype(int)]
    assert np.array_equal(steps.terminated, (steps.next_observations[:, 2] == lengths) & (lengths < 6))
    assert steps.ends.all()


def test_recent_episodes_are_the_newest() -> None:
    for memory in (filled(), filled(capacity=2)):
        steps = memory.draw(np.array([0, 1]), 100, np.random.default_rng(0), recent=1)
        assert set(steps.observations[:, 1]) == {2.0}
    oldest = filled(capacity=2).draw(np.array([0]), 100, np.random.default_rng(0)).observations[:, 1]
    assert set(oldest) == {1.0, 2.0}


def test_stretches_are_of_one_episode_each_and_meet_every_transition_alike() -> None:
    memory, tasks = filled(), np.tile([0, 1], 8_000)
    steps, stretch = memory.draw_stretches(tasks, 4, np.random.default_rng(0))
    assert np.array_equal(steps.source, tasks[stretch])
    assert np.array_equal(np.flatnonzero(steps.ends), np.append(np.flatnonzero(np.diff(stretch)), len(stretch) - 1))
    assert np.array_equal(np.unique(stretch), np.arange(len(tasks)))
    assert np.bincount(stretch).max() == 4
    inside = ~steps.ends[:-1]
    assert np.array_equal(steps.next_observations[:-1][inside], steps.observations[1:][inside])
    assert not (steps.terminated & ~steps.ends).any()
    for task, total in enumerate(LENGTHS.sum(axis=1)):
        places, counts = np.unique(steps.observations[steps.source == task], axis=0, return_counts=True)
        assert len(places) == total
        assert np.allclose(counts / counts.mean(), 1.0, rtol=0.15)


def test_a_memory_comes_back_as_it_was() -> None:
    memory = filled(capacity=2)
    again = EpisodeMemory(2, 2, 6, 3, 1)
    again.load(memory.tensors())
    assert all(torch.equal(again.tensors()[name], tensor) for name, tensor in memory.tensors().items())
    drawn = [one.draw(np.array([0, 1]), 50, np.random.default_rng(1)) for one in (memory, again)]
    assert np.array_equal(drawn[0].observations, drawn[1].observations)


def test_an_empty_memory_says_so() -> None:
    with pytest.raises(ValueError, match="A memory must hold episodes before any can be drawn from; it is empty"):
        EpisodeMemory(2, 2, 6, 3, 1).draw(np.array([0]), 1, np.random.default_rng(0))


def test_one_episode_is_played_in_each_lane() -> None:
    lanes = telltale_lanes(AutoresetMode.SAME_STEP)
    episodes = play(
        lanes, lambda seen: (act(seen).astype(np.float32), seen[:, 2].astype(np.float32)), horizon=6, seed=0
    )
    assert episodes.lengths.tolist() == [3, 5, 4]
    assert episodes.terminated.tolist() == [True, False, True]  # of the last, the physics blew up
    for lane, length in enumerate(episodes.lengths):
        seen = episodes.observations[lane, : length + 1]
        assert np.array_equal(seen[:-1, 2], np.arange(length))
        assert (seen[:, 1] == 0.0).all()  # never of the next episode
        assert np.array_equal(episodes.log_densities[lane, :length], np.arange(length))
        assert (episodes.rewards[lane, length:] == 0.0).all()
    assert episodes.observations[2, 4].tolist() == episodes.observations[2, 3].tolist()
    assert episodes.returns.tolist() == [6.0, 515.0, 810.0]
    assert np.array_equal(episodes.mask.sum(axis=1), episodes.lengths)
