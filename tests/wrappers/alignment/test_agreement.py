"""Every way to compute DTW gives what plain loops give, and two libraries."""

import dtw as dtw_python
import numpy as np
import pytest
import torch
from dtaidistance import dtw_ndim
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.wrappers.alignment.sequences import FEATURES, arrays, looped, references, sequences
from transreward_wrappers.alignment import Reference, align, align_candidate, dtw_distance, dtw_totals
from transreward_wrappers.alignment.sequences import squared_distances

CLOSE = {"rel": 1e-6, "abs": 1e-6}


@given(first=sequences(), second=sequences())
def test_squared_distances_are_those_of_a_loop(first: np.ndarray, second: np.ndarray) -> None:
    plain = [[((one - other) ** 2).sum() for other in second] for one in first]
    np.testing.assert_allclose(squared_distances(first, second), plain, rtol=1e-12, atol=1e-12)


def test_long_sequences_are_compared_in_blocks() -> None:
    first, second = (np.random.default_rng(steps).standard_normal((steps, 9)) for steps in (700, 301))
    found = squared_distances(first, second)
    assert found.shape == (700, 301)
    for step in (0, 12, 13, 350, 699):
        np.testing.assert_allclose(found[step], ((first[step] - second) ** 2).sum(axis=1))


@given(first=sequences(), second=sequences(), open_end=st.booleans())
def test_dtaidistance_agrees(first: np.ndarray, second: np.ndarray, open_end: bool) -> None:
    theirs = dtw_ndim.distance_fast(first, second, psi=(0, 0, 0, len(second)) if open_end else None) ** 2
    found = align(squared_distances(first, second), "dtw", open_end=open_end)
    assert found.total == pytest.approx(theirs, **CLOSE)


@given(data=st.data(), first=sequences(), band=st.integers(0, 9))
def test_dtaidistance_agrees_within_a_band(data: st.DataObject, first: np.ndarray, band: int) -> None:
    second = data.draw(arrays(*first.shape))
    theirs = dtw_ndim.distance_fast(first, second, window=band + 1) ** 2
    assert align(squared_distances(first, second), "dtw", band=band).total == pytest.approx(theirs, **CLOSE)


@given(first=sequences(), second=sequences(), band=st.none() | st.integers(0, 9))
def test_dtw_python_agrees(first: np.ndarray, second: np.ndarray, band: int | None) -> None:
    assume(band is None or band >= abs(len(first) - len(second)))
    matrix = squared_distances(first, second)
    window = {} if band is None else {"window_type": "sakoechiba", "window_args": {"window_size": band}}
    theirs = dtw_python.dtw(matrix, step_pattern="symmetric1", keep_internals=True, **window)
    assert align(matrix, "dtw", band=band).total == pytest.approx(theirs.distance, **CLOSE)
    opened = align(matrix, "dtw", band=band, open_end=True).total
    assert opened == pytest.approx(np.nanmin(theirs.costMatrix[-1]), **CLOSE)


@given(first=sequences(), second=sequences(), band=st.none() | st.integers(0, 9), open_end=st.booleans())
def test_the_distance_on_the_host_is_the_alignments_total(
    first: np.ndarray, second: np.ndarray, band: int | None, open_end: bool
) -> None:
    assume(band is None or band >= abs(len(first) - len(second)))
    table = looped(squared_distances(first, second), band=band)
    right = table[-1].min() if open_end else table[-1, -1]
    assert dtw_distance(first, second, band=band, open_end=open_end) == pytest.approx(right, **CLOSE)


def test_the_distance_refuses_what_is_no_pair_of_sequences() -> None:
    with pytest.raises(ValueError, match=r"`second` must have the shape \(T, 2\); got \(4, 3\)"):
        dtw_distance(np.zeros((3, 2)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="`first` must have at least 1 step; got 0"):
        dtw_distance(np.zeros((0, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"`first` must be finite; got nan at \(1, 0\)"):
        dtw_distance([[0.0], [np.nan]], [[1.0]])
    with pytest.warns(UserWarning, match="which is widened") as caught:
        dtw_distance(np.zeros((4, 2)), np.zeros((2, 2)), band=0)
    assert caught[0].filename == __file__


@given(
    data=st.data(),
    reference=references(),
    steps=st.integers(1, 25),
    band=st.none() | st.integers(0, 9),
    open_end=st.booleans(),
)
def test_the_batched_totals_are_those_of_single_alignments(
    data: st.DataObject, reference: Reference, steps: int, band: int | None, open_end: bool
) -> None:
    assume(band is None or band >= (steps - len(reference) if open_end else abs(steps - len(reference))))
    settings = {"band": band, "open_end": open_end}
    candidates = torch.tensor(data.draw(arrays(3, steps, FEATURES)))
    totals = dtw_totals(candidates, reference, **settings)
    single = [align(reference.costs(one.numpy()), "dtw", **settings).total for one in candidates]
    np.testing.assert_allclose(totals.numpy(), single, rtol=1e-6, atol=1e-6)
    coarse = dtw_totals(candidates.float(), reference, **settings)
    assert coarse.dtype == torch.float32
    np.testing.assert_allclose(coarse.numpy(), single, rtol=1e-4, atol=1e-3)
    found = align_candidate(candidates[0].float(), reference, **settings)
    assert found.total == pytest.approx(single[0], rel=1e-4, abs=1e-4)
    assert found.path is not None


def test_batched_totals_of_plain_lengths_agree_with_dtaidistance() -> None:
    generator = np.random.default_rng(0)
    reference = Reference(observations=generator.normal(100.0, 3.0, (50, 17)).cumsum(axis=0), rewards=np.zeros(50))
    candidates = reference.observations + reference.scale * generator.normal(0.0, 0.5, (20, 50, 17))
    candidates[0] = reference.observations
    theirs = [dtw_ndim.distance_fast(one / reference.scale, reference.normalised.copy()) ** 2 for one in candidates]
    found = dtw_totals(torch.tensor(candidates), reference)
    np.testing.assert_allclose(found.numpy(), theirs, rtol=1e-6, atol=1e-6)
    coarse = dtw_totals(torch.tensor(candidates, dtype=torch.float32), reference)
    np.testing.assert_allclose(coarse.numpy(), theirs, rtol=1e-3, atol=1e-2)
    assert (coarse >= 0).all()


def test_a_candidate_that_is_not_finite_has_a_total_that_is_not() -> None:
    reference = Reference(observations=np.eye(4), rewards=np.zeros(4))
    candidates = torch.zeros(4, 6, 4)
    candidates[1, 3, 2], candidates[2, 5, 0] = torch.nan, torch.inf
    for settings in ({}, {"open_end": True}, {"band": 2}):
        assert dtw_totals(candidates, reference, **settings).isfinite().tolist() == [True, False, False, True]


def test_the_batch_refuses_other_shapes_types_and_bands() -> None:
    reference = Reference(observations=np.eye(4), rewards=np.zeros(4))
    with pytest.raises(ValueError, match=r"`candidates` must have the shape \(N, T, 4\); got \(2, 5, 3\)"):
        dtw_totals(torch.zeros(2, 5, 3), reference)
    with pytest.raises(ValueError, match=r"got \(0, 5, 4\)"):
        dtw_totals(torch.zeros(0, 5, 4), reference)
    with pytest.raises(TypeError, match=r"`candidates` must be of torch.float32 or torch.float64; got torch.bfloat16"):
        dtw_totals(torch.zeros(2, 5, 4, dtype=torch.bfloat16), reference)
    with pytest.warns(
        UserWarning, match="at least 2 for a path through 6 by 4 steps; got 1, which is widened"
    ) as caught:
        narrow = dtw_totals(torch.ones(2, 6, 4), reference, band=1)
    assert caught[0].filename == __file__
    assert torch.equal(narrow, dtw_totals(torch.ones(2, 6, 4), reference, band=2))


def test_the_batch_tracks_no_gradients() -> None:
    reference = Reference(observations=np.eye(4), rewards=np.zeros(4))
    assert not dtw_totals(torch.ones(2, 6, 4, requires_grad=True), reference).requires_grad
    assert align_candidate(torch.ones(6, 4, requires_grad=True), reference).total > 0


def test_the_planners_totals_agree_with_two_libraries_in_single_precision_too() -> None:
    generator = np.random.default_rng(1)
    reference = Reference(observations=generator.normal(size=(50, 17)).cumsum(axis=0), rewards=np.zeros(50))
    candidates = reference.observations + reference.scale * generator.normal(0.0, 0.5, (1_000, 50, 17))
    single = candidates.astype(np.float32)
    found = dtw_totals(torch.from_numpy(single), reference)
    assert found.dtype == torch.float32
    scaled = single.astype(np.float64) / reference.scale
    theirs = [dtw_ndim.distance_fast(one, reference.normalised.copy()) ** 2 for one in scaled]
    np.testing.assert_allclose(found.numpy(), theirs, rtol=5e-6)
    for index in range(0, 1_000, 100):
        costs = squared_distances(scaled[index], reference.normalised)
        other = dtw_python.dtw(costs, step_pattern="symmetric1", distance_only=True).distance
        assert float(found[index]) == pytest.approx(other, rel=5e-6)
