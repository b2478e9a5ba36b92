"""What critics learn from other tasks' trajectories, by hand and by theory."""

from typing import Any

import numpy as np
import pytest

from transreward_baselines.meta.relabelling import relabelled_values
from transreward_wrappers.drae import DynamicsRatio, Trajectories

TWO_STEPS = Trajectories(
    reward=np.array([1.0, 2.0]),
    value=np.array([3.0, 5.0]),
    next_value=np.array([5.0, 4.0]),
    terminated=np.array([False, False]),
    ends=np.array([False, True]),
)
"""A trajectory that is cut after two steps, where V is 4."""

Q = np.array([[4.0, 6.0], [5.0, 3.0]])
"""Of two critics."""

HALF = {"gamma": 0.5, "policy_weight": np.array([1.0, 0.5])}


def ratio(*values: float) -> DynamicsRatio:
    return DynamicsRatio(low=np.array(values), high=np.array(values))


def test_drae_by_hand() -> None:
    found = relabelled_values("drae", TWO_STEPS, Q, **HALF, ratio=ratio(0.5, 2.0))
    g_1 = 5.0 + 0.5 * 2.0 * (2.0 + 0.5 * 4.0 - 3.0)  # V + w rho (r + gamma V' - min Q) = 6
    first = [q + 0.5 * (1.0 + 0.5 * g_1 - q) for q in (4.0, 5.0)]  # Y = Q + rho (r + gamma G' - Q)
    second = [q + 2.0 * (2.0 + 0.5 * 4.0 - q) for q in (6.0, 3.0)]
    assert g_1 == 6.0
    assert found.tolist() == [[first[0], second[0]], [first[1], second[1]]] == [[4.0, 2.0], [4.5, 5.0]]


def test_direct_by_hand() -> None:
    found = relabelled_values("direct", TWO_STEPS, Q, **HALF, ratio=ratio(0.5, 2.0))  # which it does not look at
    g_1 = 5.0 + 0.5 * (2.0 + 0.5 * 4.0 - 3.0)
    assert found.tolist() == [[1.0 + 0.5 * g_1, 4.0]] * 2 == [[3.75, 4.0]] * 2


def test_plain_by_hand() -> None:
    found = relabelled_values("plain", TWO_STEPS, Q, **HALF, ratio=ratio(0.5, 2.0))
    assert found.tolist() == [[1.0 + 0.5 * 5.0, 2.0 + 0.5 * 4.0]] * 2


def trajectories(seed: int = 0) -> tuple[Trajectories, np.ndarray, np.ndarray]:
    """Return trajectories of 4, 1 and 5 steps, the second of which ended, with Q's and weights of actions."""
    generator, ends = np.random.default_rng(seed), np.isin(np.arange(10), (3, 4, 9))
    terminated = np.arange(10) == 4
    value, last = generator.normal(size=10), generator.normal(size=10)
    steps = Trajectories(
        reward=generator.normal(size=10),
        value=value,
        next_value=np.where(ends, last, np.roll(value, -1)),
        terminated=terminated,
        ends=ends,
    )
    return steps, generator.normal(size=(2, 10)), generator.uniform(size=10)


def test_unit_ratios_make_drae_the_direct_form() -> None:
    steps, q, weights = trajectories()
    given: dict[str, Any] = {"gamma": 0.9, "policy_weight": weights}
    ones = relabelled_values("drae", steps, q, **given, ratio=ratio(*np.ones(10)))
    assert np.allclose(ones, relabelled_values("direct", steps, q, **given))
    assert np.allclose(ones, relabelled_values("drae", steps, q, **given))
    assert np.allclose(ones[0], ones[1])  # what the critics said does not matter then
    assert not np.allclose(ones, relabelled_values("plain", steps, q, **given))


def test_exact_values_are_kept_whatever_the_weights() -> None:
    steps, _, weights = trajectories()
    exact = steps.reward + 0.9 * steps.goes_on * steps.next_value
    given: dict[str, Any] = {"gamma": 0.9, "policy_weight": weights}
    q = np.stack([exact, exact])
    for kind in ("drae", "direct", "plain"):
        found = relabelled_values(kind, steps, q, **given, ratio=ratio(*np.linspace(0.0, 2.0, 10)))
        assert np.allclose(found, q), kind


def test_what_cannot_be_in_the_task_teaches_nothing() -> None:
    steps, q, weights = trajectories()
    found = relabelled_values("drae", steps, q, gamma=0.9, policy_weight=weights, ratio=ratio(*np.zeros(10)))
    assert np.allclose(found, q)


def test_weights_of_one_make_returns_of_a_stretch() -> None:
    steps, _, _ = trajectories()
    nothing = Trajectories(
        reward=steps.reward,
        value=np.zeros(10),
        next_value=np.zeros(10),
        terminated=steps.terminated,
        ends=steps.ends,
    )
    found = relabelled_values("drae", nothing, np.zeros((2, 10)), gamma=0.9)
    assert found[0, 0] == pytest.approx(steps.reward[:4] @ 0.9 ** np.arange(4))
    assert found[1, 5] == pytest.approx(steps.reward[5:] @ 0.9 ** np.arange(5))


@pytest.mark.parametrize("kind", ["drae", "direct", "plain"])
@pytest.mark.parametrize("gamma", [-0.1, 1.5])
def test_discounts_outside_are_refused(kind: Any, gamma: float) -> None:
    steps, q, _ = trajectories()
    with pytest.raises(ValueError, match="`gamma` must "):
        relabelled_values(kind, steps, q, gamma=gamma)


def test_nothing_is_no_way_of_relabelling() -> None:
    steps, q, _ = trajectories()
    with pytest.raises(ValueError, match="Trajectories are relabelled by 'drae', 'direct' or 'plain'; got 'none'"):
        relabelled_values("none", steps, q, gamma=0.9)
