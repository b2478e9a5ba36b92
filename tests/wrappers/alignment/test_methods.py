"""The table of alignments, and what the others than DTW compute."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.alignment.sequences import all_paths, arrays, costs
from transreward_wrappers.alignment import METHODS, align, coverage

CLOSE = {"rel": 1e-9, "abs": 1e-9}
ORDERLESS = ("ot", "min_distance", "soft_dtw", "temporal_ot")


@pytest.mark.parametrize("method", METHODS)
@given(matrix=costs(most=5))
@pytest.mark.filterwarnings("ignore:Sinkhorn")
def test_every_method_finds_an_assignment_of_the_costs_shape(method: str, matrix: np.ndarray) -> None:
    found = align(matrix, method)
    np.testing.assert_array_equal(found.costs, matrix)
    assert found.weights.shape == matrix.shape
    assert (found.weights >= 0).all()
    assert np.isfinite(found.total)
    assert (found.path is None) == (method in ORDERLESS)
    matched = found.weights.sum(axis=0) > 0
    assert matched.all() or method == "min_distance"
    np.testing.assert_allclose(found.shares.sum(axis=0), matched, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_sequence_that_follows_the_reference_is_aligned_along_the_diagonal(method: str) -> None:
    steps = np.arange(6.0)
    found = align(25.0 * (steps[:, None] - steps) ** 2, method)
    assert (found.shares.argmax(axis=0) == np.arange(6)).all()
    if method not in ("ot", "soft_dtw", "temporal_ot"):
        np.testing.assert_array_equal(found.weights, np.eye(6))
        assert found.total == 0.0


@pytest.mark.parametrize("method", ["dtw", "orca", "min_distance"])
def test_ties_go_to_the_diagonal(method: str) -> None:
    np.testing.assert_array_equal(align(np.full((4, 4), 0.1), method).weights, np.eye(4))


def test_names_and_settings_must_be_known() -> None:
    with pytest.raises(ValueError, match="Unknown alignment 'softdtw'. Did you mean 'soft_dtw'"):
        align(np.zeros((2, 2)), "softdtw")
    with pytest.raises(TypeError, match="Unknown setting of 'dtw' 'bands'. Did you mean 'band'"):
        align(np.zeros((2, 2)), "dtw", bands=2)
    with pytest.raises(TypeError, match="Unknown setting of 'orca' 'tau'"):
        align(np.zeros((2, 2)), "orca", tau=1.0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros(3), r"`costs` must have the shape \(T, T_ref\), .* got \(3,\)"),
        (np.zeros((3, 0)), r"got \(3, 0\)"),
        ([[0.0, 1.0], [np.nan, 1.0]], r"`costs` must be finite; got nan at \(1, 0\)"),
        ([[0.0, np.inf]], r"`costs` must be finite; got inf at \(0, 1\)"),
        ([[0.0, -0.5]], "`costs` must be >= 0, as squared distances are; got -0.5"),
    ],
)
def test_costs_must_be_a_matrix_of_finite_numbers_that_are_not_negative(matrix: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        align(matrix)


@pytest.mark.parametrize(
    ("method", "setting", "error"),
    [
        ("soft_dtw", {"smoothing": 0.0}, "`smoothing` must be finite and > 0; got 0.0"),
        ("ot", {"regularisation": -1.0}, "`regularisation` must be finite and > 0; got -1.0"),
        ("ot", {"iterations": 0}, "`iterations` must be an integer >= 1; got 0"),
        ("temporal_ot", {"band": -1}, "`band` must be an integer >= 0; got -1"),
        ("temporal_ot", {"context": 0}, "`context` must be an integer >= 1; got 0"),
    ],
)
def test_settings_keep_to_their_rules(method: str, setting: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        align(np.ones((3, 3)), method, **setting)


@given(matrix=costs(most=4), smoothing=st.floats(0.05, 5.0))
def test_soft_dtw_is_the_mean_over_all_paths(matrix: np.ndarray, smoothing: float) -> None:
    paths = all_paths(*matrix.shape)
    sums = np.array([sum(matrix[cell] for cell in path) for path in paths])
    likelihoods = np.exp(-(sums - sums.min()) / smoothing)
    weights = np.zeros_like(matrix)
    for path, likelihood in zip(paths, likelihoods / likelihoods.sum(), strict=True):
        weights[tuple(np.transpose(path))] += likelihood
    found = align(matrix, "soft_dtw", smoothing=smoothing)
    assert found.total == pytest.approx(sums.min() - smoothing * np.log(likelihoods.sum()), **CLOSE)
    np.testing.assert_allclose(found.weights, weights, atol=1e-9)


@given(matrix=costs())
def test_soft_dtw_lies_below_dtw_and_goes_to_it(matrix: np.ndarray) -> None:
    hard = align(matrix).total
    assert align(matrix, "soft_dtw", smoothing=1.0).total <= hard + 1e-9
    assert align(matrix, "soft_dtw", smoothing=1e-6).total == pytest.approx(hard, abs=1e-4)


@given(matrix=costs(), smoothing=st.floats(0.1, 5.0), at=st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_the_weights_of_soft_dtw_are_its_gradient(matrix: np.ndarray, smoothing: float, at: tuple[int, int]) -> None:
    cell, step = tuple(np.minimum(at, np.subtract(matrix.shape, 1))), 1e-4
    matrix = matrix + step
    there, back = matrix.copy(), matrix.copy()
    there[cell] += step
    back[cell] -= step
    slope = np.subtract(*(align(one, "soft_dtw", smoothing=smoothing).total for one in (there, back))) / (2 * step)
    assert align(matrix, "soft_dtw", smoothing=smoothing).weights[cell] == pytest.approx(slope, abs=1e-5)


@given(matrix=costs(), regularisation=st.floats(0.2, 2.0))
@pytest.mark.parametrize("method", ["ot", "temporal_ot"])
def test_a_plan_has_its_marginals_and_the_form_that_makes_it_optimal(
    method: str, matrix: np.ndarray, regularisation: float
) -> None:
    settings = {"context": 1, "band": 8} if method == "temporal_ot" else {}
    plan = align(matrix, method, regularisation=regularisation, iterations=20_000, **settings).weights
    rows, columns = matrix.shape
    np.testing.assert_allclose(plan.sum(axis=0), 1 / columns, atol=1e-12)
    assert abs(plan.sum(axis=1) - 1 / rows).sum() < 1e-3
    scale = regularisation * matrix.mean()
    dual = np.log(plan) * scale + matrix if scale else plan
    interaction = dual - dual.mean(axis=0) - dual.mean(axis=1, keepdims=True) + dual.mean()
    np.testing.assert_allclose(interaction, 0.0, atol=1e-6)


def test_transport_knows_no_order_and_temporal_transport_does() -> None:
    steps = np.arange(8.0)
    backwards = 9.0 * (steps[::-1, None] - steps) ** 2
    assert align(backwards, "ot", regularisation=0.01).total < 0.1
    assert align(backwards, "temporal_ot", band=1, context=1).total > 50.0


@given(shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), band=st.integers(0, 3))
def test_temporal_transport_stays_near_the_diagonal(shape: tuple[int, int], band: int) -> None:
    rows, columns = shape
    plan = align(np.zeros(shape), "temporal_ot", band=band, iterations=50_000).weights
    i, j = np.nonzero(plan)
    assert (
        abs((i + 0.5) / rows - (j + 0.5) / columns) * max(shape) <= band + 0.5 + 0.5 * max(shape) / min(shape)
    ).all()
    if rows == columns:
        np.testing.assert_array_equal(plan > 0, abs(np.subtract.outer(np.arange(rows), np.arange(rows))) <= band)


def test_context_compares_steps_by_what_follows() -> None:
    matrix = np.array([[0.0, 0.0, 9.0], [9.0, 0.0, 9.0], [9.0, 9.0, 0.0]])
    plain, seen = (align(matrix, "temporal_ot", context=context, regularisation=0.05) for context in (1, 2))
    assert plain.weights[0, 1] > 2 * seen.weights[0, 1]
    assert seen.total == pytest.approx((seen.weights * matrix).sum())


def test_a_plan_that_is_not_found_says_so() -> None:
    matrix = np.random.default_rng(0).random((20, 20))
    with pytest.warns(UserWarning, match="Sinkhorn's plan has .* after 2 iterations; raise `regularisation`") as caught:
        align(matrix, "ot", regularisation=0.001, iterations=2)
    assert caught[0].filename == __file__


@given(matrix=st.tuples(st.integers(1, 5), st.integers(1, 4)).flatmap(lambda shape: arrays(*shape).map(np.abs)))
def test_ordered_coverage_is_the_cheapest_way_to_visit_all_in_order(matrix: np.ndarray) -> None:
    steps, reference_steps = matrix.shape
    visits = combinations_with_replacement(range(steps), reference_steps)
    least = min(sum(matrix[visit, range(reference_steps)]) for visit in map(list, visits))
    found = align(matrix, "orca")
    assert found.total == pytest.approx(least, **CLOSE)
    assert matrix[tuple(found.path.T)].sum() == pytest.approx(least, **CLOSE)
    assert found.path[:, 1].tolist() == list(range(reference_steps))
    assert (np.diff(found.path[:, 0]) >= 0).all()
    assert found.total <= align(matrix).total + 1e-9


@given(matrix=costs(), tau=st.floats(0.1, 10.0))
def test_coverage_follows_its_recursion(matrix: np.ndarray, tau: float) -> None:
    found = np.zeros((matrix.shape[0] + 1, matrix.shape[1] + 1))
    found[:, 0] = 1.0
    for i, j in np.ndindex(*matrix.shape):
        found[i + 1, j + 1] = max(found[i, j + 1], found[i + 1, j] * np.exp(-matrix[i, j] / tau))
    np.testing.assert_allclose(coverage(matrix, tau=tau), found[1:, 1:], atol=1e-12)
    assert coverage(matrix, tau=tau)[-1, -1] == pytest.approx(np.exp(-align(matrix, "orca").total / tau), abs=1e-12)


def test_coverage_needs_a_temperature() -> None:
    with pytest.raises(ValueError, match="`tau` must be finite and > 0; got 0"):
        coverage(np.zeros((2, 2)), tau=0)


@given(matrix=costs())
def test_the_minimal_distance_takes_the_nearest_of_each_step(matrix: np.ndarray) -> None:
    found = align(matrix, "min_distance")
    assert (found.weights.sum(axis=1) == 1.0).all()
    assert (found.weights * matrix).sum() == pytest.approx(found.total, **CLOSE)
    assert found.total == pytest.approx(matrix.min(axis=1).sum(), **CLOSE)
