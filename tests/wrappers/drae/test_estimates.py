"""What holds of the estimates for any numbers, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.drae.looped import looped, numbers, one_by_one, some_trajectories
from transreward_wrappers.drae import (
    DynamicsRatio,
    Trajectories,
    action_values,
    added_reward,
    direct,
    dynamics_ratio,
    model_baseline,
    residual,
    weight,
)

FORMS = {"direct": direct, "residual": residual}
seeds = st.integers(0, 2**31)
gammas = st.floats(0.0, 1.0)


def draw(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size)


def fixed(value: float, size: int) -> DynamicsRatio:
    return DynamicsRatio(low=np.full(size, value), high=np.full(size, value))


@pytest.mark.parametrize("kind", ["classifier", "interval", "slide", "one"])
@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds, gamma=gammas)
def test_flat_arrays_give_what_a_loop_gives(form: str, kind: str, seed: int, gamma: float) -> None:
    steps = some_trajectories(seed)
    size = len(steps)
    given = {
        "gamma": gamma,
        "policy_weight": weight(draw(seed + 1, size), clip=2.0),
        "ratio": dynamics_ratio(draw(seed + 2, 3 * size).reshape(3, size), kind, clip=3.0),
    }
    baseline = draw(seed + 3, size)
    np.testing.assert_allclose(
        FORMS[form](steps, baseline, **given), looped(form, steps, baseline, **given), rtol=1e-12, atol=1e-9
    )


@pytest.mark.parametrize("kind", ["classifier", "interval", "slide", "one"])
@given(seed=seeds)
def test_tensors_give_the_numbers_that_arrays_give(kind: str, seed: int) -> None:
    steps = some_trajectories(seed)
    size = len(steps)
    ours = {name: getattr(steps, name) for name in ("reward", "value", "next_value", "terminated", "ends")}
    theirs = Trajectories(**{name: torch.from_numpy(values) for name, values in ours.items()})
    logs, members, q = draw(seed + 1, size), draw(seed + 2, 3 * size).reshape(3, size), draw(seed + 3, size)
    logs[0], members[0, 0], members[1, -1] = np.nan, -np.inf, 1e6
    results = []
    for trajectories, to in ((steps, np.asarray), (theirs, torch.from_numpy)):
        given = {"gamma": 0.9, "ratio": dynamics_ratio(to(members), kind, clip=3.0)}
        weights = {**given, "policy_weight": weight(to(logs), clip=2.0)}
        estimate = residual(trajectories, model_baseline(trajectories, to(q), gamma=0.9), **weights)
        results.append(
            [
                estimate,
                direct(trajectories, to(q), **weights),
                action_values(trajectories, to(q), **given),
                added_reward(trajectories, to(q), estimate=estimate, **given),
            ]
        )
    for array, tensor in zip(*results, strict=True):
        assert (tensor.dtype, array.dtype) == (torch.float64, np.float64)
        np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-12, atol=1e-12)


@given(seed=seeds, gamma=gammas)
def test_without_values_and_weights_it_is_the_monte_carlo_return(seed: int, gamma: float) -> None:
    steps = some_trajectories(seed)
    nothing = np.zeros(len(steps))
    steps = replace(steps, value=nothing, next_value=nothing)
    for form in FORMS.values():
        estimate = form(steps, nothing, gamma=gamma)
        for positions in one_by_one(steps):
            rewards = steps.reward[positions.start : positions.stop]
            assert estimate[positions.start] == pytest.approx(float((gamma ** np.arange(len(rewards))) @ rewards))


@given(seed=seeds, gamma=gammas)
def test_with_a_ratio_of_one_both_forms_are_ordinary_doubly_robust_estimates(seed: int, gamma: float) -> None:
    steps = some_trajectories(seed)
    q, weights = draw(seed + 1, len(steps)), weight(draw(seed + 2, len(steps)), clip=2.0)
    ones = dynamics_ratio(draw(seed + 3, len(steps))[None], "one", clip=1.0)
    first, second = (form(steps, q, gamma=gamma, policy_weight=weights, ratio=ones) for form in FORMS.values())
    np.testing.assert_allclose(first, second, atol=1e-9)
    for positions in one_by_one(steps):  # Jiang and Li, 2016, arXiv:1511.03722
        last = positions[-1]
        following = 0.0 if steps.terminated[last] else steps.next_value[last]
        for t in reversed(positions):
            following = steps.value[t] + weights[t] * (steps.reward[t] + gamma * following - q[t])
            assert first[t] == pytest.approx(following)


@given(seed=seeds, gamma=gammas, kind=st.sampled_from(["classifier", "interval", "slide"]))
def test_exact_values_and_an_exact_model_give_v_whatever_the_weights(seed: int, gamma: float, kind: str) -> None:
    steps = some_trajectories(seed)
    estimate = residual(
        steps,
        model_baseline(steps, steps.reward, gamma=gamma),
        gamma=gamma,
        policy_weight=weight(draw(seed + 1, len(steps)), clip=2.0),
        ratio=dynamics_ratio(draw(seed + 2, 2 * len(steps)).reshape(2, -1), kind, clip=3.0),
    )
    np.testing.assert_allclose(estimate, steps.value, atol=1e-9)


@given(seed=seeds, gamma=gammas)
def test_weights_of_nothing_give_v(seed: int, gamma: float) -> None:
    steps = some_trajectories(seed)
    q, nothing = draw(seed + 1, len(steps)), np.zeros(len(steps))
    for weights in ({"policy_weight": nothing}, {"ratio": fixed(0.0, len(steps))}):
        assert np.array_equal(residual(steps, q, gamma=gamma, **weights), steps.value)
    assert np.array_equal(direct(steps, q, gamma=gamma, policy_weight=nothing), steps.value)


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds, share=st.floats(-2.0, 2.0))
def test_estimates_are_linear_in_the_reward(form: str, seed: int, share: float) -> None:
    steps = some_trajectories(seed)
    size = len(steps)
    given = {"gamma": 0.9, "ratio": dynamics_ratio(draw(seed + 1, size)[None], "classifier", clip=2.0)}
    other = draw(seed + 2, size)

    def estimate(reward: np.ndarray) -> np.ndarray:
        return FORMS[form](replace(steps, reward=reward), other, **given)

    mixed = share * estimate(steps.reward) + (1.0 - share) * estimate(other)
    np.testing.assert_allclose(estimate(share * steps.reward + (1.0 - share) * other), mixed, atol=1e-9)


@given(seed=seeds, gamma=gammas)
def test_a_ratio_of_one_adds_nothing_and_a_ratio_of_nothing_pays_what_q_says(seed: int, gamma: float) -> None:
    steps = some_trajectories(seed)
    q = draw(seed + 1, len(steps))
    assert not added_reward(steps, q, gamma=gamma).any()
    nothing = fixed(0.0, len(steps))
    np.testing.assert_allclose(action_values(steps, q, gamma=gamma, ratio=nothing), q, atol=1e-9)
    paid = steps.reward + added_reward(steps, q, gamma=gamma, ratio=nothing)
    np.testing.assert_allclose(paid, q - gamma * ~steps.terminated * steps.next_value, atol=1e-9)


@given(seed=seeds, gamma=gammas)
def test_values_of_actions_are_made_of_the_estimates_that_follow(seed: int, gamma: float) -> None:
    steps = some_trajectories(seed)
    q, rho = draw(seed + 1, len(steps)), weight(draw(seed + 2, len(steps)), clip=3.0)
    ratio = DynamicsRatio(low=rho, high=rho)
    estimate = residual(steps, q, gamma=gamma, ratio=ratio)
    found = action_values(steps, q, gamma=gamma, ratio=ratio, estimate=estimate)
    for positions in one_by_one(steps):
        for t in positions:
            end = 0.0 if steps.terminated[t] else steps.next_value[t]
            following = end if steps.ends[t] else estimate[t + 1]
            assert found[t] == pytest.approx(q[t] + rho[t] * (steps.reward[t] + gamma * following - q[t]))


@given(seed=seeds)
def test_truncation_differs_from_termination_by_the_last_value_alone(seed: int) -> None:
    steps = some_trajectories(seed)
    q = draw(seed + 1, len(steps))
    cut = replace(steps, terminated=np.zeros(len(steps), dtype=bool))
    nothing_left = replace(cut, next_value=np.where(steps.terminated, 0.0, cut.next_value))
    for form in FORMS.values():
        ended, truncated = form(steps, q, gamma=0.9), form(nothing_left, q, gamma=0.9)
        np.testing.assert_allclose(ended, truncated, atol=1e-12)
        changed = form(cut, q, gamma=0.9) != ended
        assert np.array_equal(changed[steps.ends], (steps.terminated & (steps.next_value != 0.0))[steps.ends])


@given(log_ratios=st.lists(st.sampled_from([-np.inf, np.inf, np.nan, 1e6, -1e6, 0.0]), min_size=8, max_size=8))
def test_no_log_ratio_makes_an_estimate_that_is_no_number(log_ratios: list[float]) -> None:
    size, last = 8, np.arange(8) == 7
    values = draw(0, size)
    steps = Trajectories(reward=values, value=values, next_value=np.roll(values, -1), terminated=last, ends=last)
    for kind in ("classifier", "interval", "slide", "one"):
        members = np.stack([log_ratios, log_ratios[::-1]])
        ratio = dynamics_ratio(members, kind, clip=2.0)
        weights = {"policy_weight": weight(np.array(log_ratios), clip=2.0), "ratio": ratio}
        for form in FORMS.values():
            assert np.isfinite(form(steps, values, gamma=0.99, **weights)).all()
        assert np.isfinite(added_reward(steps, values, gamma=0.99, ratio=ratio)).all()
        if kind != "one":
            broken = ~np.isfinite(members).all(axis=0)
            assert not ratio.high[broken].any()


@given(log_ratio=st.floats(allow_nan=True, allow_infinity=True), clip=st.floats(0.01, 100.0))
def test_a_weight_is_nothing_or_within_its_bounds(log_ratio: float, clip: float) -> None:
    found = float(weight(np.array([log_ratio]), clip=clip)[0])
    if not np.isfinite(log_ratio):
        assert found == 0.0
    else:
        assert np.exp(-20.0) * (1.0 - 1e-12) <= found <= clip * (1.0 + 1e-12)
        if -20.0 <= log_ratio <= np.log(clip):
            assert found == pytest.approx(np.exp(log_ratio))


@given(members=st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=5), following=numbers, value=numbers, reward=numbers)
def test_ratios_are_within_the_interval_of_the_members(
    members: list[float], following: float, value: float, reward: float
) -> None:
    logs = np.array(members)[:, None]
    low, high = np.exp(min(members)), min(np.exp(max(members)), 20.0)
    given = {"next_value": np.array([value]), "reward": np.array([reward]), "gamma": 0.9}
    ratios = {
        kind: float(dynamics_ratio(logs, kind, clip=20.0).given(np.array([following]), **given)[0])
        for kind in ("classifier", "interval", "slide", "one")
    }
    for kind in ("classifier", "interval", "slide"):
        assert min(low, 20.0) - 1e-9 <= ratios[kind] <= high + 1e-9
    assert ratios["one"] == 1.0
    if low <= 1.0 <= high:
        assert ratios["interval"] == 1.0
    else:
        assert ratios["interval"] == pytest.approx(min(low, 20.0) if low > 1.0 else high)
    if abs(following) > 1e-6:
        best = (0.9 * value - reward) / (1.8 * following)
        assert ratios["slide"] == pytest.approx(min(max(best, min(low, 20.0)), high))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"reward": np.array([1.0, np.nan])}, ValueError, "`reward` must be finite; 1 of its 2 numbers are not"),
        ({"next_value": np.array([np.inf, 0.0])}, ValueError, "`next_value` must be finite; 1 of its 2"),
        ({"value": np.zeros(3)}, ValueError, r"one value a step, 2 in all; `value` has the shape \(3,\)"),
        ({"reward": np.zeros((2, 1))}, ValueError, r"flat arrays \(N,\) of one step at least; got the shape \(2, 1\)"),
        ({"ends": np.array([True, False])}, ValueError, "The last step must be the end of a trajectory"),
        ({"terminated": np.array([True, True])}, ValueError, "A trajectory ends where its task does"),
        ({"value": torch.zeros(2)}, TypeError, "all of NumPy or all tensors of PyTorch; got both"),
    ],
)
def test_trajectories_that_cannot_be_are_refused(changes: dict, error: type[Exception], message: str) -> None:
    flags = {"terminated": np.array([False, True]), "ends": np.array([False, True])}
    numbers = {name: np.zeros(2) for name in ("reward", "value", "next_value")}
    with pytest.raises(error, match=message):
        Trajectories(**{**numbers, **flags, **changes})


def test_what_does_not_fit_the_trajectories_is_refused() -> None:
    steps = some_trajectories(0)
    q, size = np.zeros(len(steps)), len(steps)
    for gamma in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"`gamma` must (lie in \[0, 1\]|be finite and >= 0); got"):
            residual(steps, q, gamma=gamma)
    with pytest.raises(ValueError, match=rf"one value a step, {size} in all; `action_value` has the shape \(2,\)"):
        direct(steps, np.zeros(2), gamma=0.9)
    with pytest.raises(ValueError, match="`baseline` must be finite; 1 of its"):
        residual(steps, np.where(np.arange(size) == 1, np.nan, 0.0), gamma=0.9)
    with pytest.raises(ValueError, match=r"`ratio.low` has the shape \(3,\)"):
        residual(steps, q, gamma=0.9, ratio=fixed(1.0, 3))
    with pytest.raises(ValueError, match=r"`estimate` has the shape \(3,\)"):
        added_reward(steps, q, gamma=0.9, estimate=np.zeros(3))
    with pytest.raises(ValueError, match=r"`reward_model` has the shape \(1,\)"):
        model_baseline(steps, np.zeros(1), gamma=0.9)
    with pytest.raises(ValueError, match=r"`policy_weight` must be finite; 1 of its"):
        direct(steps, q, gamma=0.9, policy_weight=np.where(np.arange(size) == 1, np.inf, 1.0))
    with pytest.raises(ValueError, match=r"`policy_weight` is a ratio of probabilities, >= 0; got -0.5"):
        residual(steps, q, gamma=0.9, policy_weight=np.where(np.arange(size) == 1, -0.5, 1.0))


def test_ratios_that_cannot_be_are_refused() -> None:
    logs = np.zeros((1, 3))
    with pytest.raises(ValueError, match="Unknown kind of ratio 'slid'. Did you mean 'slide'"):
        dynamics_ratio(logs, "slid", clip=1.0)
    with pytest.raises(ValueError, match=r"one a member and transition, \(K, N\); got the shape \(3,\)"):
        dynamics_ratio(logs[0], "classifier", clip=1.0)
    with pytest.raises(ValueError, match="`clip` must be finite and > 0; got 0.0"):
        weight(logs, clip=0.0)
    with pytest.raises(ValueError, match=r"`clip` must be at least exp\(-20\), the smallest weight; got 1e-10"):
        dynamics_ratio(logs, "classifier", clip=1e-10)


def test_weights_that_multiply_beyond_all_numbers_are_an_error() -> None:
    size = 2_000
    ends = np.arange(size) == size - 1
    ones = np.ones(size)
    steps = Trajectories(reward=ones, value=ones, next_value=ones, terminated=ends, ends=ends)
    with (
        pytest.raises(ValueError, match="An estimate must be finite; over up to 2000 steps, weights above 1"),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        residual(steps, np.zeros(size), gamma=1.0, ratio=fixed(10.0, size))
    assert np.isfinite(residual(steps, np.zeros(size), gamma=1.0)).all()
