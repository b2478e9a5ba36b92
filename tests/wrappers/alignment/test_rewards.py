"""What alignments pay, in hindsight and step by step."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.alignment.sequences import FEATURES, arrays, costs, references
from transreward_wrappers.alignment import (
    METHODS,
    Carry,
    Reference,
    RowState,
    StreamingRows,
    align,
    increment,
    potential,
    progress,
    shaping,
    transport,
)

CLOSE = {"rel": 1e-9, "abs": 1e-9}
taus = st.floats(0.01, 100.0)


@pytest.mark.parametrize("method", METHODS)
@given(matrix=costs(most=6), data=st.data())
@pytest.mark.filterwarnings("ignore:Sinkhorn")
def test_plain_transport_conserves_the_rewards_of_what_is_matched(
    method: str, matrix: np.ndarray, data: st.DataObject
) -> None:
    rewards = data.draw(arrays(matrix.shape[1]))
    found = align(matrix, method)
    matched = found.weights.sum(axis=0) > 0
    assert matched.all() or method == "min_distance"
    paid = transport(found, rewards, tau=None)
    assert paid.shape == matrix.shape[:1]
    assert paid.sum() == pytest.approx(rewards[matched].sum(), abs=1e-9)


@given(matrix=costs(), data=st.data(), tau=taus)
def test_a_gate_pays_no_more_and_all_where_the_match_is_perfect(
    matrix: np.ndarray, data: st.DataObject, tau: float
) -> None:
    rewards = data.draw(arrays(matrix.shape[1]))
    shifted = rewards - min(rewards.min(), 0.0)
    found = align(matrix)
    gated = transport(found, rewards, tau=tau)
    assert (gated >= 0).all()
    assert (gated <= transport(found, shifted, tau=None) + 1e-9).all()
    perfect = align(np.zeros_like(matrix))
    np.testing.assert_allclose(transport(perfect, rewards, tau=tau), transport(perfect, shifted, tau=None), atol=1e-9)


@given(matrix=costs(), data=st.data(), tau=taus, scale=st.floats(0.0, 10.0))
def test_transport_is_the_formula_cell_by_cell(
    matrix: np.ndarray, data: st.DataObject, tau: float, scale: float
) -> None:
    rewards = np.abs(data.draw(arrays(matrix.shape[1])))
    found = align(matrix, "soft_dtw")
    right = np.zeros(len(matrix))
    for i, j in np.ndindex(*matrix.shape):
        right[i] += found.weights[i, j] / found.weights[:, j].sum() * rewards[j] * np.exp(-matrix[i, j] / tau)
    np.testing.assert_allclose(transport(found, rewards, tau=tau), right, atol=1e-9)
    np.testing.assert_allclose(transport(found, scale * rewards, tau=tau), scale * right, atol=1e-9)


def test_the_gate_tells_a_copy_from_an_agent_that_stands_still() -> None:
    observations = np.cumsum(np.random.default_rng(0).standard_normal((20, 3)), axis=0)
    reference = Reference(observations=observations, rewards=np.full(20, 0.5))
    slow = align(reference.costs(np.repeat(observations, 2, axis=0)))
    still = align(reference.costs(np.repeat(observations[:1], 40, axis=0)))
    for found in (slow, still):
        assert transport(found, reference.rewards, tau=None).sum() == pytest.approx(10.0)
    assert transport(slow, reference.rewards).sum() == pytest.approx(10.0)
    assert transport(still, reference.rewards).sum() < 3.0


@pytest.mark.parametrize("method", METHODS)
@given(matrix=costs(most=6), data=st.data(), tau=taus)
@pytest.mark.filterwarnings("ignore:Sinkhorn")
def test_a_mean_lies_within_the_rewards_it_is_of_and_a_gate_makes_no_more_of_it(
    method: str, matrix: np.ndarray, data: st.DataObject, tau: float
) -> None:
    rewards = data.draw(arrays(matrix.shape[1]))
    found = align(matrix, method)
    matched = found.weights.sum(axis=1) > 0
    assert matched.all() or method == "orca"
    paid = transport(found, rewards, carry="mean", tau=None)
    for row, amount in zip(found.weights[matched], paid[matched], strict=True):
        assert rewards[row > 0].min() - 1e-9 <= amount <= rewards[row > 0].max() + 1e-9
    assert (paid[~matched] == 0.0).all()
    gated = transport(found, rewards, carry="mean", tau=tau)
    shifted = transport(found, rewards - min(rewards.min(), 0.0), carry="mean", tau=None)
    assert (gated >= 0).all()
    assert (gated <= shifted + 1e-9).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("carry", ["mean", "balanced"])
@given(matrix=costs(most=6), data=st.data(), tau=taus)
@pytest.mark.filterwarnings("ignore:Sinkhorn")
def test_a_mean_and_what_is_balanced_are_the_formula_cell_by_cell(
    carry: Carry, method: str, matrix: np.ndarray, data: st.DataObject, tau: float
) -> None:
    rewards = np.abs(data.draw(arrays(matrix.shape[1])))
    found = align(matrix, method)
    right = np.zeros(len(matrix))
    for i, j in np.argwhere(found.weights > 0):
        row, column = found.weights[i].sum(), found.weights[:, j].sum()
        divisor = row if carry == "mean" else np.sqrt(row * column)
        right[i] += found.weights[i, j] / divisor * rewards[j] * np.exp(-matrix[i, j] / tau)
    np.testing.assert_allclose(transport(found, rewards, carry=carry, tau=tau), right, atol=1e-9)


@given(pace=st.integers(1, 4), steps=st.integers(2, 8), data=st.data())
def test_a_slow_copy_earns_as_much_a_step_by_the_mean_as_much_in_all_by_the_total_and_between_when_balanced(
    pace: int, steps: int, data: st.DataObject
) -> None:
    rewards = np.abs(data.draw(arrays(steps)))
    there = 10.0 * np.arange(steps)
    found = align((np.repeat(there, pace)[:, None] - there) ** 2)
    np.testing.assert_allclose(transport(found, rewards, carry="mean"), np.repeat(rewards, pace), atol=1e-9)
    np.testing.assert_allclose(transport(found, rewards), np.repeat(rewards, pace) / pace, atol=1e-9)
    balanced = transport(found, rewards, carry="balanced")
    np.testing.assert_allclose(balanced, np.repeat(rewards, pace) / np.sqrt(pace), atol=1e-9)


def test_a_path_shares_out_what_it_stretches_and_adds_up_what_it_squeezes() -> None:
    matrix = np.abs(np.subtract.outer([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])) * 100.0
    np.testing.assert_allclose(transport(align(matrix), [4.0, 1.0, 2.0], tau=None), [2.0, 2.0, 3.0])


def test_transport_refuses_what_does_not_fit() -> None:
    found = align(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"`rewards` must have the shape \(4,\); got \(3,\)"):
        transport(found, np.zeros(3))
    with pytest.raises(ValueError, match=r"`rewards` must be finite; got nan at \(1,\)"):
        transport(found, [0.0, np.nan, 0.0, 0.0])
    with pytest.raises(ValueError, match="`tau` must be finite and > 0; got 0.0"):
        transport(found, np.zeros(4), tau=0.0)
    with pytest.raises(ValueError, match="Unknown carry 'sum'"):
        transport(found, np.zeros(4), carry="sum")  # type: ignore[arg-type]


def episode(reference: Reference, seen: np.ndarray) -> list[RowState]:
    """Return the states of one lane over an episode, the one after the reset first."""
    rows = StreamingRows(reference)
    return [rows.state, *(rows.step(one[None]) for one in seen)]


@given(data=st.data(), reference=references(), steps=st.integers(1, 9), tau=taus, penalty=st.floats(0.0, 2.0))
def test_progress_is_the_formula_step_by_step(
    data: st.DataObject, reference: Reference, steps: int, tau: float, penalty: float
) -> None:
    seen = data.draw(arrays(steps, FEATURES))
    matrix = reference.costs(seen)
    states = episode(reference, seen)
    shifted = reference.rewards - min(0.0, reference.rewards.min())
    for step, (before, after) in enumerate(pairwise(states)):
        new = range(before.covered[0] + 1, after.covered[0] + 1)
        strayed = penalty * (after.minimum[0] - before.minimum[0])
        gated = sum(shifted[j] * np.exp(-matrix[step, j] / tau) for j in new) - strayed
        assert progress(before, after, tau=tau, penalty=penalty)[0] == pytest.approx(gated, **CLOSE)
        plain = sum(reference.rewards[j] for j in new) - strayed
        assert progress(before, after, tau=None, penalty=penalty)[0] == pytest.approx(plain, **CLOSE)


@given(data=st.data(), reference=references(), steps=st.integers(1, 9), penalty=st.floats(0.0, 2.0))
def test_an_episode_adds_up_to_what_it_covered_and_to_its_distance(
    data: st.DataObject, reference: Reference, steps: int, penalty: float
) -> None:
    seen = data.draw(arrays(steps, FEATURES))
    states = episode(reference, seen)
    pairs = list(pairwise(states))
    distance = align(reference.costs(seen), "dtw", open_end=True).total
    increments = [increment(*pair)[0] for pair in pairs]
    assert max(increments) <= 1e-9
    assert sum(increments) == pytest.approx(-distance, **CLOSE)
    covered = reference.rewards[: states[-1].covered[0] + 1].sum()
    total = sum(progress(*pair, tau=None, penalty=penalty)[0] for pair in pairs)
    assert total == pytest.approx(covered - penalty * distance, **CLOSE)
    assert total == pytest.approx(potential(states[-1], penalty=penalty)[0], **CLOSE)


@given(
    data=st.data(),
    reference=references(),
    steps=st.integers(1, 9),
    gamma=st.floats(0.0, 1.0),
    penalty=st.floats(0.0, 2.0),
    terminates=st.booleans(),
)
def test_shaping_telescopes_and_counts_nothing_behind_a_termination(
    data: st.DataObject, reference: Reference, steps: int, gamma: float, penalty: float, terminates: bool
) -> None:
    states = episode(reference, data.draw(arrays(steps, FEATURES)))
    paid = 0.0
    for step, (before, after) in enumerate(pairwise(states)):
        terminated = np.array([terminates and step == steps - 1])
        paid += gamma**step * shaping(before, after, terminated, gamma=gamma, penalty=penalty)[0]
    last = 0.0 if terminates else gamma**steps * potential(states[-1], penalty=penalty)[0]
    assert potential(states[0], penalty=penalty) == 0.0
    assert paid == pytest.approx(last, **CLOSE)


@given(data=st.data(), reference=references(), steps=st.integers(1, 5))
def test_without_discount_shaping_is_progress_without_a_gate(
    data: st.DataObject, reference: Reference, steps: int
) -> None:
    states = episode(reference, data.draw(arrays(steps, FEATURES)))
    for pair in pairwise(states):
        shaped = shaping(*pair, np.array([False]), gamma=1.0)
        np.testing.assert_allclose(shaped, progress(*pair, tau=None), atol=1e-9)


@given(data=st.data(), followed=st.lists(references(), min_size=1, max_size=2), steps=st.integers(1, 5))
def test_lanes_are_paid_as_single_environments(data: st.DataObject, followed: list[Reference], steps: int) -> None:
    seen = data.draw(arrays(steps, 3, FEATURES))
    terminated = np.array([False, True, False])
    rows = StreamingRows(followed, lanes=3)
    together = [rows.state, *(rows.step(one) for one in seen)][-2:]
    for lane in range(3):
        alone = episode(followed[lane % len(followed)], seen[:, lane])[-2:]
        end = terminated[lane : lane + 1]
        for paid, right in (
            (progress(*together), progress(*alone)),
            (progress(*together, tau=None), progress(*alone, tau=None)),
            (increment(*together), increment(*alone)),
            (shaping(*together, terminated, gamma=0.9), shaping(*alone, end, gamma=0.9)),
        ):
            assert paid[lane] == pytest.approx(right[0], **CLOSE)


def test_a_copy_earns_more_than_standing_still_and_than_going_elsewhere() -> None:
    observations = np.cumsum(np.random.default_rng(0).standard_normal((30, 3)), axis=0)
    reference = Reference(observations=observations, rewards=np.ones(30))
    copies = {
        "perfect": observations,
        "still": np.repeat(observations[:1], 30, axis=0),
        "elsewhere": observations[::-1] + 50.0,
    }
    paid = {}
    for name, seen in copies.items():
        states = episode(reference, seen)
        paid[name] = sum(progress(*pair)[0] for pair in pairwise(states))
    assert paid["perfect"] == pytest.approx(30.0)
    assert paid["still"] < 5.0
    assert paid["elsewhere"] < 0.0


def test_settings_of_rewards_keep_to_their_rules() -> None:
    reference = Reference(observations=np.eye(2), rewards=np.zeros(2))
    before, after = episode(reference, np.zeros((1, 2)))
    with pytest.raises(ValueError, match="`tau` must be finite and > 0; got -1.0"):
        progress(before, after, tau=-1.0)
    with pytest.raises(ValueError, match="`penalty` must be finite and >= 0; got -0.5"):
        progress(before, after, penalty=-0.5)
    with pytest.raises(ValueError, match="`penalty` must be finite and >= 0; got nan"):
        potential(after, penalty=np.nan)
    for gamma in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=f"`gamma` must .*; got {gamma}"):
            shaping(before, after, np.array([False]), gamma=gamma)
    with pytest.raises(TypeError, match="`gamma` must be a number; got None"):
        shaping(before, after, np.array([False]), gamma=None)
