"""The streaming row equals the matrix's, lane by lane."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.alignment.sequences import FEATURES, arrays, looped, references
from transreward_wrappers.alignment import Reference, RowState, StreamingRows, align

LANES = 3
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def some(*lengths: int) -> list[Reference]:
    generator = np.random.default_rng(sum(lengths))
    return [
        Reference(observations=generator.standard_normal((steps, FEATURES)), rewards=generator.standard_normal(steps))
        for steps in lengths
    ]


def assert_lane(state: RowState, lane: int, reference: Reference, seen: np.ndarray) -> None:
    """Assert that a lane is where the whole matrix of what it has seen says."""
    length = len(reference)
    matrix = reference.costs(seen)
    table = looped(matrix)
    np.testing.assert_allclose(state.row[lane, :length], table[-1], **CLOSE)
    assert (state.row[lane, length:] == np.inf).all()
    np.testing.assert_allclose(state.costs[lane, :length], matrix[-1], **CLOSE)
    np.testing.assert_allclose(state.minimum[lane], table[-1].min(), **CLOSE)
    assert state.steps[lane] == len(seen)
    assert 0 <= state.matched[lane] <= state.covered[lane] < length
    assert table[-1, state.matched[lane]] == pytest.approx(table[-1].min(), rel=1e-6, abs=1e-6)
    assert state.phase[lane] == (state.covered[lane] + 1) / length
    np.testing.assert_array_equal(state.rewards[lane, :length], reference.rewards)


@given(data=st.data(), reference=references(), steps=st.integers(1, 9))
def test_the_row_is_that_of_the_matrix_and_its_minimum_never_falls(
    data: st.DataObject, reference: Reference, steps: int
) -> None:
    seen = data.draw(arrays(steps, FEATURES))
    rows = StreamingRows(reference)
    before = rows.state
    for step in range(steps):
        state = rows.step(seen[step : step + 1])
        assert_lane(state, 0, reference, seen[: step + 1])
        assert state.minimum >= before.minimum - 1e-9
        assert state.covered >= before.covered
        assert state.minimum == pytest.approx(align(reference.costs(seen[: step + 1]), open_end=True).total, abs=1e-9)
        before = state


@given(data=st.data(), followed=st.lists(references(), min_size=1, max_size=3), steps=st.integers(1, 6))
def test_lanes_are_single_rows_side_by_side(data: st.DataObject, followed: list[Reference], steps: int) -> None:
    seen = data.draw(arrays(steps, LANES, FEATURES))
    rows = StreamingRows(followed, lanes=LANES)
    for one in seen:
        state = rows.step(one)
    for lane in range(LANES):
        assert_lane(state, lane, followed[lane % len(followed)], seen[:, lane])


@given(data=st.data())
def test_resets_and_pauses_of_some_lanes_leave_the_others_as_they_are(data: st.DataObject) -> None:
    followed = some(4, 7)
    rows, masks = StreamingRows(followed, lanes=LANES), st.lists(st.booleans(), min_size=LANES, max_size=LANES)
    seen: list[list[np.ndarray]] = [[] for _ in range(LANES)]
    which = [0, 1, 0]
    for _ in range(data.draw(st.integers(1, 8))):
        begin, active = (np.array(data.draw(masks)) for _ in range(2))
        chosen = data.draw(st.none() | st.lists(st.integers(0, 1), min_size=LANES, max_size=LANES))
        rows.reset(begin, references=None if chosen is None else np.array(chosen))
        observations = data.draw(arrays(LANES, FEATURES))
        rows.step(observations, active)
        for lane in range(LANES):
            if begin[lane]:
                seen[lane], which[lane] = [], which[lane] if chosen is None else chosen[lane]
            if active[lane]:
                seen[lane].append(observations[lane])
    for lane in range(LANES):
        if seen[lane]:
            assert_lane(rows.state, lane, followed[which[lane]], np.array(seen[lane]))
        else:
            state, length = rows.state, len(followed[which[lane]])
            assert (state.steps[lane], state.minimum[lane], state.matched[lane], state.covered[lane]) == (
                0,
                0.0,
                -1,
                -1,
            )
            assert (state.phase[lane], state.lengths[lane]) == (0.0, length)


def test_a_perfect_copy_is_matched_step_by_step() -> None:
    (reference,) = some(20)
    rows = StreamingRows(reference)
    for step, observation in enumerate(reference.observations):
        state = rows.step(observation[None])
        assert (state.matched[0], state.covered[0]) == (step, step)
        assert state.minimum[0] == pytest.approx(0.0, abs=1e-9)
    assert state.phase == 1.0


@pytest.mark.parametrize("away", [0.0, 0.1, 3.7])
def test_ties_go_to_the_diagonal(away: float) -> None:
    reference = Reference(observations=np.full((300, FEATURES), 0.3), rewards=np.zeros(300))
    rows = StreamingRows(reference)
    matched = [int(rows.step(np.full((1, FEATURES), 0.3 + away)).matched[0]) for _ in range(300)]
    assert matched == list(range(300))


def test_coverage_never_goes_back() -> None:
    reference = Reference(observations=np.arange(5.0)[:, None], rewards=np.zeros(5))
    rows = StreamingRows(reference)
    covered = [int(rows.step([[value]]).covered[0]) for value in (0.0, 1.0, 2.0, 3.0)]
    assert covered == [0, 1, 2, 3]
    for _ in range(3):
        state = rows.step([[0.0]])
    assert state.matched[0] < state.covered[0] == 3


def test_states_are_snapshots_and_rows_can_be_pickled() -> None:
    rows = StreamingRows(some(4, 7), lanes=2)
    generator = np.random.default_rng(0)
    states, kept = [], []
    for _ in range(4):
        states.append(rows.step(generator.standard_normal((2, FEATURES))))
        kept.append((states[-1].row.copy(), states[-1].rewards.copy()))
    again = pickle.loads(pickle.dumps(rows))
    rows.reset(np.array([True, False]), references=1)
    for state, (row, rewards) in zip(states, kept, strict=True):
        np.testing.assert_array_equal(state.row, row)
        np.testing.assert_array_equal(state.rewards, rewards)
    np.testing.assert_array_equal(again.state.row, states[-1].row)


def test_a_refused_observation_changes_nothing() -> None:
    rows = StreamingRows(some(4), lanes=2)
    state = rows.step(np.zeros((2, FEATURES)))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"`observations` must be finite; those of lanes \[1\] are not"):
            rows.step([[0.0, 0.0], [0.0, bad]])
    with pytest.raises(ValueError, match=r"`observations` must have the shape \(2, 2\); got \(2,\)"):
        rows.step(np.zeros(2))
    assert rows.state is state
    rows.step([[0.0, 0.0], [0.0, np.inf]], np.array([True, False]))
    assert rows.state.steps.tolist() == [2, 1]


def test_rows_refuse_what_does_not_fit() -> None:
    other = Reference(observations=np.zeros((3, 5)), rewards=np.zeros(3))
    with pytest.raises(ValueError, match=r"`references` must be at least one, .* got features \[2, 5\]"):
        StreamingRows([*some(4), other])
    with pytest.raises(ValueError, match=r"got features \[\]"):
        StreamingRows([])
    with pytest.raises(ValueError, match="`lanes` must be an integer >= 1; got 0"):
        StreamingRows(other, lanes=0)
    rows = StreamingRows(some(4, 7), lanes=2)
    with pytest.raises(ValueError, match="`references` must be indices from 0 to 1; got 2"):
        rows.reset(references=2)
    with pytest.raises(ValueError, match="`references` must be indices from 0 to 1; got 0.5"):
        rows.reset(references=0.5)
    for mask in (np.ones(3, dtype=bool), np.array([0, 1])):
        with pytest.raises(ValueError, match="`mask` must be 2 booleans, one for each lane"):
            rows.reset(mask)
        with pytest.raises(ValueError, match="`mask` must be 2 booleans, one for each lane"):
            rows.step(np.zeros((2, FEATURES)), mask)


def test_the_minimum_does_not_fall_by_rounding_either() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        points = generator.standard_normal((60, FEATURES))
        rows, before = StreamingRows(Reference(observations=points, rewards=np.ones(60))), 0.0
        for step in range(120):
            seen = points[min(step, 30)] + (generator.standard_normal(FEATURES) if step < 30 else 0.0)
            state = rows.step(seen[None])
            assert state.minimum[0] >= before
            before = state.minimum[0]
