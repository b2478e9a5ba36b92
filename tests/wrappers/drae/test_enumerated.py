"""Which sign, which side, which index: every trajectory of a small world, weighed by its probability, decides."""

import numpy as np
import pytest

from tests.wrappers.drae.world import Listed, Worlds, poor
from transreward_wrappers.drae import DynamicsRatio, direct, dynamics_ratio, model_baseline, residual, weight

EXACT = 1e-12
SEEDS = range(5)


def ratio_of(listed: Listed, *, sign: float = 1.0) -> DynamicsRatio:
    """Return the ratio of dynamics, or its inverse."""
    return dynamics_ratio(sign * listed.log_dynamics()[None], "classifier", clip=1e8)


def fixed(values: np.ndarray) -> DynamicsRatio:
    return DynamicsRatio(low=values, high=values)


def policy_weight(listed: Listed) -> np.ndarray:
    return weight(listed.log_policies(), clip=1e8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("looks_ahead", [False, True])
def test_the_residual_form_is_unbiased_for_any_q_with_p_target_over_p_source(looks_ahead: bool, seed: int) -> None:
    worlds = Worlds.random(seed, looks_ahead=looks_ahead)
    listed, (v, q) = worlds.listed(), worlds.values()
    for some_q in (q, poor(q)):
        some_v = v.copy()
        some_v[:-1, :-1] = (worlds.policy * some_q).sum(axis=-1)
        steps, baseline = listed.of(some_v), listed.action_values(some_q)
        weights = {"gamma": worlds.gamma, "policy_weight": policy_weight(listed)}
        right = residual(steps, baseline, ratio=ratio_of(listed), **weights)
        assert abs(listed.expected(right) - v[0, 0]) < EXACT
        late = fixed(listed.shifted(ratio_of(listed).low))
        for wrong in (ratio_of(listed, sign=-1.0), late, None):
            biased = residual(steps, baseline, ratio=wrong, **weights)
            assert abs(listed.expected(biased) - v[0, 0]) > 1e-3
        on_policy = residual(steps, baseline, ratio=ratio_of(listed), gamma=worlds.gamma)
        assert (abs(listed.expected(on_policy) - v[0, 0]) < EXACT) == (some_q is q)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_direct_form_is_unbiased_for_rewards_of_state_and_action_alone(seed: int) -> None:
    for looks_ahead in (False, True):
        worlds = Worlds.random(seed, looks_ahead=looks_ahead)
        listed, (v, q) = worlds.listed(), worlds.values()
        estimate = direct(
            listed.of(v),
            listed.action_values(q),
            gamma=worlds.gamma,
            policy_weight=policy_weight(listed),
            ratio=ratio_of(listed),
        )
        bias = abs(listed.expected(estimate) - v[0, 0])
        assert bias > 1e-3 if looks_ahead else bias < EXACT


def test_the_direct_form_needs_the_same_side_and_index() -> None:
    worlds = Worlds.random(0, looks_ahead=False)
    listed, (v, q) = worlds.listed(), worlds.values()
    late = fixed(listed.shifted(ratio_of(listed).low))
    for wrong in (ratio_of(listed, sign=-1.0), late, None):
        estimate = direct(
            listed.of(v),
            listed.action_values(q),
            gamma=worlds.gamma,
            policy_weight=policy_weight(listed),
            ratio=wrong,
        )
        assert abs(listed.expected(estimate) - v[0, 0]) > 1e-3


def test_as_weights_go_to_nothing_the_residual_form_is_v_and_the_direct_form_is_not() -> None:
    worlds = Worlds.random(0, looks_ahead=True)
    listed, (v, q) = worlds.listed(), worlds.values()
    steps, nothing = listed.of(v), fixed(np.zeros(len(listed.steps)))
    actions = listed.action_values(q)
    assert np.array_equal(residual(steps, actions, gamma=worlds.gamma, ratio=nothing), steps.value)
    astray = direct(steps, actions, gamma=worlds.gamma, ratio=nothing)
    assert abs(listed.expected(astray) - v[0, 0]) > 0.01


def test_the_model_baseline_is_unbiased_where_v_is_consistent_with_the_model_or_the_ratio_is_right() -> None:
    worlds = Worlds.random(0, looks_ahead=True)
    listed, (v, _) = worlds.listed(), worlds.values()
    wrong_model = worlds.reward + np.random.default_rng(1).standard_normal(worlds.reward.shape)
    consistent = Worlds(**{**vars(worlds), "reward": wrong_model}).values()[0]
    _, *where = listed.steps.T
    right, none = ratio_of(listed), fixed(np.ones(len(listed.steps)))
    cases = [
        (v, worlds.reward, right, True),
        (v, worlds.reward, none, True),
        (consistent, wrong_model, right, True),
        (consistent, wrong_model, none, False),
        (poor(v), worlds.reward, right, False),
    ]
    for some_v, model, ratio, unbiased in cases:
        steps = listed.of(some_v)
        baseline = model_baseline(steps, model[tuple(where)], gamma=worlds.gamma)
        estimate = residual(steps, baseline, gamma=worlds.gamma, policy_weight=policy_weight(listed), ratio=ratio)
        assert (abs(listed.expected(estimate) - v[0, 0]) < EXACT) == unbiased


def test_a_slide_must_be_kept_within_the_interval_of_p_target_over_p_source() -> None:
    worlds = Worlds.random(0, looks_ahead=True)
    listed, (v, q) = worlds.listed(), worlds.values()
    steps, actions = listed.of(v), listed.action_values(poor(q))
    errors = []
    for sign in (1.0, -1.0):
        members = sign * listed.log_dynamics() + np.array([[-0.05], [0.05]])
        slide = dynamics_ratio(members, "slide", clip=1e8)
        estimate = residual(steps, actions, gamma=worlds.gamma, policy_weight=policy_weight(listed), ratio=slide)
        right = residual(
            steps, actions, gamma=worlds.gamma, policy_weight=policy_weight(listed), ratio=ratio_of(listed)
        )
        errors.append(abs(listed.expected(estimate) - listed.expected(right)))
    assert errors[0] < 0.2 * errors[1]
