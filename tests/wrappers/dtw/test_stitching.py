"""Episodes from transitions, whichever lane they come from."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.dtw.stitching import PATIENCE, Stitcher


def batch(first: np.ndarray, last: np.ndarray, terminated: np.ndarray) -> Transitions:
    count = len(first)
    return Transitions(
        observation=first,
        action=np.zeros((count, 1)),
        reward=np.zeros(count),
        next_observation=last,
        terminated=terminated,
        domain=np.ones(count, dtype=np.int64),
    )


@given(lanes=st.integers(1, 4), lengths=st.lists(st.integers(1, 6), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_episodes_are_put_together_whatever_order_lanes_come_in(lanes: int, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    stitcher, expected = Stitcher(10_000), []
    for length in lengths:
        walks = rng.normal(size=(lanes, length + 1, 3))
        for step in range(length):
            order = rng.permutation(lanes)
            over = np.full(lanes, step == length - 1)
            actions = walks[order, step, :1]
            stitcher.add(batch(walks[order, step], walks[order, step + 1], over), actions)
        expected += list(walks)
    found = stitcher.episodes()
    assert all(episode.terminated for episode in found)
    key = lambda walk: walk.tobytes()  # noqa: E731
    assert sorted(map(key, expected)) == sorted(episode.observations.tobytes() for episode in found)
    assert all(np.array_equal(episode.actions, episode.observations[:-1, :1]) for episode in found)


def test_an_episode_that_a_time_limit_ended_is_over_once_nothing_has_continued_it_for_long() -> None:
    stitcher = Stitcher(10_000)
    stitcher.add(batch(np.zeros((1, 1)), np.ones((1, 1)), np.array([False])), np.zeros((1, 1)))
    for step in range(PATIENCE):
        assert stitcher.episodes() == []
        walk = 2.0 + np.array([[float(step)]])
        stitcher.add(batch(walk, walk + 1.0, np.array([False])), np.zeros((1, 1)))
    (episode,) = stitcher.episodes()
    assert episode.observations.tolist() == [[0.0], [1.0]]
    assert not episode.terminated


def test_the_newest_episodes_are_kept() -> None:
    stitcher = Stitcher(25)
    for start in range(10):
        for step in range(10):
            first = np.array([[100.0 * start + step]])
            stitcher.add(batch(first, first + 1.0, np.array([step == 9])), np.zeros((1, 1)))
    kept = stitcher.episodes()
    assert [episode.observations[0, 0] for episode in kept] == [700.0, 800.0, 900.0]
    assert stitcher.recent(15)[:, 0].tolist() == [*range(901, 911), *range(801, 806)]
    assert len(stitcher.recent(1_000)) == 30
    assert len(Stitcher(25).recent(15)) == 0
    again = Stitcher(25)
    again.restore(kept)
    assert again.episodes() == kept


def test_of_ended_and_cut_episodes_the_newest_are_kept_whenever_somebody_looks() -> None:
    kept = []
    for every in (10**9, 1_000):
        stitcher, steps = Stitcher(5_000), 0
        for number in range(100):
            length = 1_000 if number % 10 == 0 else 100
            for step in range(length):
                first = np.array([[1_000.0 * number + step]])
                over = np.array([length == 100 and step == length - 1])  # the long ones meet a time limit
                stitcher.add(batch(first, first + 0.5 + 0.5 * (step < length - 1), over), np.zeros((1, 1)))
                steps += 1
                if steps % every == 0:
                    stitcher.all_episodes()
        kept.append([(episode.observations[0, 0], episode.terminated) for episode in stitcher.episodes()])
    assert kept[0] == kept[1]  # to look changes nothing
    assert {number for number, _ in kept[0]} <= {
        1_000.0 * number for number in range(66, 100)
    }  # the last long one may go on
    assert sum(terminated for _, terminated in kept[0]) >= 20


def test_an_episode_under_way_is_kept_as_one_that_was_cut() -> None:
    stitcher = Stitcher(25)
    for step in range(3):
        first = np.array([[float(step)]])
        stitcher.add(batch(first, first + 1.0, np.array([False])), np.zeros((1, 1)))
    assert stitcher.episodes() == []
    again = Stitcher(25)
    again.restore(stitcher.all_episodes())
    (episode,) = again.episodes()
    assert episode.observations[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert not episode.terminated
    again.add(batch(np.array([[3.0]]), np.array([[4.0]]), np.array([True])), np.zeros((1, 1)))
    assert [len(episode) for episode in again.episodes()] == [3, 1]
