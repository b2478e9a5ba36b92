"""References: their scale, their costs and what they refuse."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.alignment.sequences import FEATURES, arrays, sequences
from transreward_wrappers.alignment import Reference, align
from transreward_wrappers.datasets import Episode


@given(observations=sequences(least=2), factor=st.floats(0.01, 100.0), shift=st.floats(-100.0, 100.0), data=st.data())
def test_costs_do_not_depend_on_units(
    observations: np.ndarray, factor: float, shift: float, data: st.DataObject
) -> None:
    observations = np.round(observations, 3)  # what varies, varies by more than rounding
    target = data.draw(arrays(4, FEATURES))
    varies = observations.std(axis=0) > 1e-9
    observations, target = observations * varies, target * varies
    rewards = np.zeros(len(observations))
    plain = Reference(observations=observations, rewards=rewards).costs(target)
    moved = Reference(observations=observations * factor + shift, rewards=rewards).costs(target * factor + shift)
    np.testing.assert_allclose(moved[:, :], plain, rtol=1e-6, atol=1e-6)


def test_one_standard_deviation_off_in_one_feature_costs_one() -> None:
    observations = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    reference = Reference(observations=observations, rewards=np.zeros(3))
    deviation = np.sqrt(8 / 3)
    np.testing.assert_allclose(reference.scale, [deviation, 1.0])
    np.testing.assert_allclose(reference.normalised, observations / [deviation, 1.0])
    np.testing.assert_allclose(reference.costs([[deviation, 5.0], [0.0, 7.0]])[:, 0], [1.0, 4.0])
    assert (len(reference), reference.size) == (3, 2)


def test_a_feature_that_only_rounds_does_not_vary() -> None:
    observations = np.full((10, 2), 0.1 + 0.2)
    observations[::2] += 1e-16
    observations[:, 1] = np.arange(10.0)
    assert Reference(observations=observations, rewards=np.zeros(10)).scale[0] == 1.0


@given(observations=sequences(least=2))
def test_a_reference_follows_itself_for_nothing(observations: np.ndarray) -> None:
    reference = Reference(observations=observations, rewards=np.zeros(len(observations)))
    assert align(reference.costs(observations)).total == 0.0


def test_a_part_keeps_the_scale_of_the_whole() -> None:
    whole = Reference(observations=np.arange(12.0).reshape(6, 2) ** 2, rewards=np.arange(6.0))
    part = whole.part(2, 5)
    np.testing.assert_array_equal(part.observations, whole.observations[2:5])
    np.testing.assert_array_equal(part.rewards, [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(part.scale, whole.scale)
    with pytest.raises(ValueError, match="at least 2 steps; got 1"):
        whole.part(5, 9)


def test_an_episode_becomes_a_reference_of_arrivals() -> None:
    episode = Episode(
        observations=np.arange(8.0).reshape(4, 2),
        actions=np.zeros((3, 1)),
        rewards=np.array([1.0, 2.0, 3.0]),
        terminated=False,
    )
    reference = Reference.from_episode(episode)
    np.testing.assert_array_equal(reference.observations, [[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    np.testing.assert_array_equal(reference.rewards, [1.0, 2.0, 3.0])


def test_a_reference_is_frozen_a_copy_and_can_be_pickled() -> None:
    observations = np.arange(6.0).reshape(3, 2)
    reference = Reference(observations=observations, rewards=[1, 2, 3])
    observations[0] = 99.0
    assert reference.observations[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        reference.rewards[0] = 5.0
    again = pickle.loads(pickle.dumps(reference))
    np.testing.assert_array_equal(again.normalised, reference.normalised)


GOOD = {"observations": np.arange(6.0).reshape(3, 2), "rewards": np.zeros(3)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observations": np.zeros(3)}, r"`observations` must have the shape \(T, D\); got \(3,\)"),
        ({"observations": np.zeros((3, 0))}, r"got \(3, 0\)"),
        ({"observations": np.zeros((1, 2)), "rewards": np.zeros(1)}, "must have at least 2 steps; got 1"),
        ({"observations": [[0.0, 1.0], [np.nan, 1.0]], "rewards": np.zeros(2)}, r"must be finite; got nan at \(1, 0\)"),
        ({"rewards": np.zeros(4)}, r"`rewards` must have the shape \(3,\), one for each observation; got \(4,\)"),
        ({"rewards": [0.0, np.inf, 0.0]}, r"`rewards` must be finite; got inf at \(1,\)"),
        ({"scale": [1.0]}, r"`scale` must be 2 numbers, one for each feature, finite and > 0; got \[1.\]"),
        ({"scale": [1.0, 0.0]}, r"got \[1. 0.\]"),
        ({"scale": [1.0, np.nan]}, r"got \[ 1. nan\]"),
    ],
)
def test_a_reference_refuses_what_it_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reference(**{**GOOD, **changes})


def test_costs_refuse_observations_of_other_features_and_what_is_not_finite() -> None:
    reference = Reference(**GOOD)
    with pytest.raises(ValueError, match=r"`observations` must have the shape \(T, 2\); got \(4, 3\)"):
        reference.costs(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"`observations` must be finite; got nan at \(0, 1\)"):
        reference.costs([[0.0, np.nan]])
