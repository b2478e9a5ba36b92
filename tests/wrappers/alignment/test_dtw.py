"""Dynamic time warping: what must hold of its totals and paths."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.wrappers.alignment.sequences import all_paths, costs, looped, sequences
from transreward_wrappers.alignment import Alignment, align
from transreward_wrappers.alignment.sequences import squared_distances

CLOSE = {"rel": 1e-9, "abs": 1e-9}


def total(first: np.ndarray, second: np.ndarray, **settings: object) -> float:
    return align(squared_distances(first, second), "dtw", **settings).total


def repeated(data: st.DataObject, sequence: np.ndarray) -> np.ndarray:
    counts = data.draw(st.lists(st.integers(1, 3), min_size=len(sequence), max_size=len(sequence)))
    return np.repeat(sequence, counts, axis=0)


@given(first=sequences(), second=sequences())
def test_a_sequence_is_at_no_distance_of_itself_and_distances_are_symmetric_and_never_negative(
    first: np.ndarray, second: np.ndarray
) -> None:
    assert total(first, first) == 0.0
    assert total(first, second) == pytest.approx(total(second, first), **CLOSE)
    assert total(first, second) >= 0.0


@given(data=st.data(), sequence=sequences())
def test_any_repetition_of_steps_is_at_no_distance(data: st.DataObject, sequence: np.ndarray) -> None:
    assert total(repeated(data, sequence), sequence) == 0.0
    assert total(sequence, repeated(data, sequence)) == 0.0


@given(data=st.data(), first=sequences(), second=sequences())
def test_repeating_steps_of_one_side_never_brings_it_nearer(
    data: st.DataObject, first: np.ndarray, second: np.ndarray
) -> None:
    assert total(repeated(data, first), second) >= total(first, second) - 1e-9


@given(first=sequences(), second=sequences())
def test_doubling_both_sides_takes_one_to_two_times_the_distance(first: np.ndarray, second: np.ndarray) -> None:
    once, twice = total(first, second), total(np.repeat(first, 2, axis=0), np.repeat(second, 2, axis=0))
    assert once - 1e-9 <= twice <= 2 * once + 1e-9


def test_the_triangle_inequality_does_not_hold() -> None:
    near, between, far = np.array([[0.0]]), np.array([[1.0], [1.0]]), np.array([[2.0], [2.0], [2.0]])
    assert total(near, far) == 12.0 > total(near, between) + total(between, far) == 5.0


@given(matrix=costs(), open_end=st.booleans(), band=st.none() | st.integers(0, 9))
@pytest.mark.filterwarnings("ignore:.*which is widened")
def test_a_path_is_monotone_and_contiguous_and_its_cost_is_the_total(
    matrix: np.ndarray, open_end: bool, band: int | None
) -> None:
    found = align(matrix, "dtw", open_end=open_end, band=band)
    path, (steps, reference_steps) = found.path, matrix.shape
    assert path[0].tolist() == [0, 0]
    assert path[-1, 0] == steps - 1
    assert open_end or path[-1, 1] == reference_steps - 1
    assert {tuple(step) for step in np.diff(path, axis=0).tolist()} <= {(1, 1), (1, 0), (0, 1)}
    assert max(path[-1] + 1) <= len(path) <= sum(path[-1] + 1) - 1
    assert matrix[tuple(path.T)].sum() == pytest.approx(found.total, **CLOSE)
    assert {(i, j) for i, j in path.tolist()} == set(
        zip(*map(np.ndarray.tolist, np.nonzero(found.weights)), strict=True)
    )
    assert set(found.weights.flat) <= {0.0, 1.0}


@given(matrix=costs(most=4))
def test_no_path_costs_less(matrix: np.ndarray) -> None:
    sums = [sum(matrix[cell] for cell in path) for path in all_paths(*matrix.shape)]
    assert align(matrix).total == pytest.approx(min(sums), **CLOSE)


@given(matrix=costs(), band=st.integers(0, 9), open_end=st.booleans())
def test_a_band_keeps_to_its_cells_and_a_wider_one_is_never_worse(
    matrix: np.ndarray, band: int, open_end: bool
) -> None:
    steps, reference_steps = matrix.shape
    assume(band >= (steps - reference_steps if open_end else abs(steps - reference_steps)))
    found = align(matrix, "dtw", band=band, open_end=open_end)
    assert abs(np.subtract(*found.path.T)).max() <= band
    table = looped(matrix, band=band)
    assert found.total == pytest.approx(table[-1].min() if open_end else table[-1, -1], **CLOSE)
    assert align(matrix, "dtw", band=band + 1, open_end=open_end).total <= found.total + 1e-9
    assert align(matrix, "dtw", band=max(matrix.shape), open_end=open_end).total == (
        align(matrix, "dtw", open_end=open_end).total
    )


@given(first=sequences(), second=sequences(), band=st.integers(0, 9))
def test_lower_bounds_stay_below(first: np.ndarray, second: np.ndarray, band: int) -> None:
    matrix = squared_distances(first, second)
    for axis in (0, 1):
        assert matrix.min(axis=axis).sum() <= align(matrix).total + 1e-9
    assume(band >= abs(len(first) - len(second)))
    keogh = 0.0
    for step, one in enumerate(first):
        near = second[max(0, step - band) : step + band + 1]
        keogh += (np.maximum(0.0, np.maximum(one - near.max(axis=0), near.min(axis=0) - one)) ** 2).sum()
    assert keogh <= align(matrix, "dtw", band=band).total + 1e-9


@given(matrix=costs())
def test_an_open_end_is_the_least_of_all_ends_and_grows_with_the_target(matrix: np.ndarray) -> None:
    opened = align(matrix, "dtw", open_end=True)
    assert opened.total == pytest.approx(looped(matrix)[-1].min(), **CLOSE)
    assert opened.total <= align(matrix).total
    assert align(matrix[:1], "dtw", open_end=True).total <= opened.total + 1e-9
    assert align(matrix[: len(matrix) // 2 + 1], "dtw", open_end=True).total <= opened.total + 1e-9


def test_ties_go_to_the_diagonal() -> None:
    for steps, value in ((4, 0.0), (4, 0.1), (6, 0.3)):
        for settings in ({}, {"open_end": True}, {"band": 2}):
            found = align(np.full((steps, steps), value), "dtw", **settings)
            np.testing.assert_array_equal(found.weights, np.eye(steps))
    longer = align(np.zeros((2, 5)), "dtw", open_end=True)
    np.testing.assert_array_equal(longer.path, [[0, 0], [1, 1]])
    assert align(np.zeros((5, 2))).path.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 1]]


@given(matrix=costs(), open_end=st.booleans())
def test_columns_of_the_shares_sum_to_one_as_far_as_the_path_goes(matrix: np.ndarray, open_end: bool) -> None:
    found = align(matrix, "dtw", open_end=open_end)
    reached = np.arange(matrix.shape[1]) <= found.path[-1, 1]
    np.testing.assert_allclose(found.shares.sum(axis=0), reached, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "open_end", "least"), [((2, 6), False, 4), ((6, 2), False, 4), ((6, 2), True, 4), ((2, 6), True, 0)]
)
def test_a_band_without_a_path_is_widened_and_says_so(shape: tuple[int, int], open_end: bool, least: int) -> None:
    matrix = np.random.default_rng(0).random(shape)

    def found(band: int) -> Alignment:
        return align(matrix, "dtw", band=band, open_end=open_end)

    if least:
        rule = rf"`band` must be at least {least} for a path .* got 1, which is widened"
        with pytest.warns(UserWarning, match=rule) as caught:
            narrow = found(1)
        assert caught[0].filename == __file__
        assert narrow.total == found(least).total
    else:
        assert found(0).path.tolist() == [[0, 0], [1, 1]]


def test_a_band_must_be_a_count() -> None:
    with pytest.raises(ValueError, match="`band` must be an integer >= 0; got -1"):
        align(np.zeros((2, 2)), "dtw", band=-1)
    with pytest.raises(TypeError, match="`band` must be an integer; got 0.5"):
        align(np.zeros((2, 2)), "dtw", band=0.5)
