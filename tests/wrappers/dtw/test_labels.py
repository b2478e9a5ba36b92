"""What target observations are worth."""

from typing import get_args

import numpy as np
import pytest

from transreward_wrappers.alignment import METHODS, Carry, Reference, on_one_floor
from transreward_wrappers.datasets import Episode
from transreward_wrappers.dtw.labels import Labeller, Labels, identity

RNG = np.random.default_rng(0)
WALK = np.cumsum(RNG.normal(size=(40, 3)), axis=0)
REFERENCE = Reference(observations=WALK, rewards=np.linspace(1.0, 2.0, 40))
ELSEWHERE = Reference(observations=WALK + 50.0, rewards=np.full(40, 100.0))


def labeller(method: str = "dtw", window: int = 100, carry: Carry = "total") -> Labeller:
    return Labeller(to_source=identity, method=method, carry=carry, tau=3.0, window=window)


@pytest.mark.parametrize("method", ["dtw", "orca", "min_distance"])
def test_a_perfect_copy_earns_what_the_source_did(method: str) -> None:
    labels = labeller(method)(WALK, REFERENCE)
    assert labels.rewards.sum() == pytest.approx(REFERENCE.rewards.sum(), rel=0.02)


@pytest.mark.parametrize("carry", get_args(Carry))
@pytest.mark.parametrize("method", METHODS)
def test_one_who_stands_still_earns_less_than_one_who_follows(method: str, carry: Carry) -> None:
    still = np.repeat(WALK[:1], len(WALK), axis=0)
    follows, stays = (labeller(method, carry=carry)(walk, REFERENCE).rewards.sum() for walk in (WALK + 0.1, still))
    assert stays < (0.6 if carry == "total" else 0.7) * follows


def test_half_the_pace_earns_the_same_in_all_by_the_total_and_the_same_a_step_by_the_mean() -> None:
    slow = np.repeat(WALK, 2, axis=0)
    assert labeller()(slow, REFERENCE).rewards.sum() == pytest.approx(REFERENCE.rewards.sum())
    assert labeller(carry="mean")(slow, REFERENCE).rewards == pytest.approx(np.repeat(REFERENCE.rewards, 2))


def test_what_stops_short_earns_what_it_has_followed() -> None:
    assert labeller()(WALK[:10], REFERENCE).rewards.sum() == pytest.approx(REFERENCE.rewards[:10].sum())


@pytest.mark.parametrize("start", [0, 7, 25])
def test_a_window_goes_with_the_piece_that_begins_where_it_does(start: int) -> None:
    window = WALK[start : start + 10]
    for references in ([REFERENCE, ELSEWHERE], [ELSEWHERE, REFERENCE]):
        piece = labeller().piece(window, references)
        assert np.array_equal(piece.observations, WALK[start : start + 20])
    assert len(labeller("ot").piece(window, [REFERENCE])) == 10
    assert len(labeller("min_distance").piece(window, [REFERENCE])) == 40


def test_a_window_at_the_references_end_has_room_to_align() -> None:
    assert len(labeller().piece(WALK[-10:], [REFERENCE])) == 10
    assert len(labeller().piece(WALK[-1:], [REFERENCE])) == 2


@pytest.mark.parametrize("window", [5, 12, 100])
def test_episodes_are_paid_window_by_window_all_but_what_they_began_with(window: int) -> None:
    episode = Episode(observations=WALK, actions=np.zeros((39, 1)), rewards=np.zeros(39), terminated=True)
    several = labeller(window=window).of_episodes([episode, episode], [REFERENCE])
    labels = Labels.join(several)
    assert np.array_equal(labels.observations, np.concatenate([WALK[1:], WALK[1:]]))
    assert labels.rewards[:39] == pytest.approx(REFERENCE.rewards[1:])


def test_observations_are_mapped_before_they_are_aligned_and_kept_as_they_are() -> None:
    mapped = Labeller(
        to_source=lambda observations: observations[..., ::-1], method="dtw", carry="mean", tau=3.0, window=9
    )
    labels = mapped(WALK[:, ::-1], REFERENCE)
    assert labels.rewards.sum() == pytest.approx(REFERENCE.rewards.sum())
    assert np.array_equal(labels.observations, WALK[:, ::-1])
    assert np.array_equal(mapped.piece(WALK[3:9, ::-1], [REFERENCE]).observations, WALK[3:15])


def test_where_a_source_is_paid_for_being_near_its_goal_to_be_there_is_worth_the_most() -> None:
    way = np.concatenate([np.linspace(0.0, 1.0, 40), np.linspace(1.0, 1.001, 40)])[:, None]
    reference = Reference(observations=way, rewards=way[:, 0] - 1.001)
    assert (reference.rewards < 1e-9).all()

    def worth(observations: np.ndarray) -> float:
        episode = Episode(observations=observations, actions=np.zeros((80, 1)), rewards=np.zeros(80), terminated=False)
        of_windows = labeller(window=20).of_episodes([episode], [reference])
        return float(sum(labels.rewards.sum() for labels in of_windows))

    follows, stays, is_there = (np.concatenate([way[:1], way]), np.zeros((81, 1)), np.full((81, 1), 1.001))
    assert worth(stays) < worth(follows) < worth(is_there)
    window, goal = (labeller(window=20).piece(observations, [reference]) for observations in (way[:20], way[50:70]))
    assert labeller()(way[50:70], goal).rewards.mean() > labeller()(way[:20], window).rewards.mean() + 0.5


def test_a_step_is_worth_the_same_beside_any_of_several_references() -> None:
    bad = Reference(observations=ELSEWHERE.observations, rewards=np.full(40, -7.0))
    for reference in on_one_floor([REFERENCE, bad]):
        assert reference.floor == -7.0
        assert reference.part(3, 9).floor == -7.0
    labels = labeller()(WALK, on_one_floor([REFERENCE, bad])[0])
    assert labels.rewards.sum() == pytest.approx((REFERENCE.rewards + 7.0).sum())
