"""What target observations are worth."""

import numpy as np
import pytest

from transreward_wrappers.alignment import METHODS, Reference
from transreward_wrappers.dtw.labels import Labeller, identity

RNG = np.random.default_rng(0)
WALK = np.cumsum(RNG.normal(size=(40, 3)), axis=0)
REFERENCE = Reference(observations=WALK, rewards=np.linspace(1.0, 2.0, 40))
ELSEWHERE = Reference(observations=WALK + 50.0, rewards=np.full(40, 100.0))


def labeller(method: str = "dtw") -> Labeller:
    return Labeller(to_source=identity, method=method, tau=3.0)


@pytest.mark.parametrize("method", ["dtw", "orca", "min_distance"])
def test_a_perfect_copy_earns_what_the_source_did(method: str) -> None:
    labels = labeller(method)(WALK, [REFERENCE])
    assert labels.rewards.sum() == pytest.approx(REFERENCE.rewards.sum(), rel=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_one_who_stands_still_earns_less_than_one_who_follows(method: str) -> None:
    still = np.repeat(WALK[:1], len(WALK), axis=0)
    follows, stays = (labeller(method)(walk, [REFERENCE]).rewards.sum() for walk in (WALK + 0.1, still))
    assert stays < 0.6 * follows


def test_the_nearest_reference_pays() -> None:
    for references in ([REFERENCE, ELSEWHERE], [ELSEWHERE, REFERENCE]):
        assert labeller()(WALK, references).rewards.max() <= 2.0


def test_half_the_pace_earns_the_same_in_all() -> None:
    slow = np.repeat(WALK, 2, axis=0)
    assert labeller()(slow, [REFERENCE]).rewards.sum() == pytest.approx(REFERENCE.rewards.sum())


def test_an_episode_that_stops_short_earns_what_it_has_followed() -> None:
    assert labeller()(WALK[:10], [REFERENCE]).rewards.sum() == pytest.approx(REFERENCE.rewards[:10].sum())


def test_observations_are_mapped_before_they_are_aligned_and_kept_as_they_are() -> None:
    mapped = Labeller(to_source=lambda observations: observations[..., ::-1], method="dtw", tau=3.0)
    labels = mapped(WALK[:, ::-1], [REFERENCE])
    assert labels.rewards.sum() == pytest.approx(REFERENCE.rewards.sum())
    assert np.array_equal(labels.observations, WALK[:, ::-1])
