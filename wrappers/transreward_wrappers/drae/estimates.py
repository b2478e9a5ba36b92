"""Doubly robust estimates of what trajectories of one domain are worth in another (DRaE, from DRaT, NeurIPS 2023).

Backward over a trajectory of the source, with the rewards of the target's task:

    direct     G_t = V(s_t) + w_pi (r_t + rho_t gamma nd G_{t+1} - Q(s_t, a_t))
    residual   G_t = V(s_t) + w_pi rho_t (r_t + gamma nd G_{t+1} - b_t),    b = Q  or  r_hat(s, a, s') + gamma nd V(s')

``w_pi`` is the ratio pi / mu of policies, ``rho`` the ratio p_T / p_S of dynamics, ``nd`` 0 where the task ended and 1
elsewhere. ``docs/drae.md`` tells where each is unbiased, and where not. For an agent, the same as values of actions,
and the rewards under which these are what it learns:

    Y_t = Q_t + rho_t (r_t + gamma nd G_{t+1} - Q_t),    r'_t = Y_t - gamma nd V(s_{t+1})
"""

from __future__ import annotations

from transreward_envs.errors import require_share
from transreward_wrappers.drae.arrays import Array, in_float64, namespace
from transreward_wrappers.drae.ratios import DynamicsRatio
from transreward_wrappers.drae.trajectories import (
    Trajectories,
    backward,
    following_estimate,
    require_finite_array,
    require_like,
)


def direct(
    steps: Trajectories,
    action_value: Array,
    *,
    gamma: float,
    policy_weight: Array | None = None,
    ratio: DynamicsRatio | None = None,
) -> Array:
    """Return doubly robust estimates in the direct form, as ``(N,)``.

    The reward is not weighed by the ratio of dynamics: that is right for a reward ``r(s, a)``, and biased for one that
    looks at the next state, as that of every robot which is paid for moving forward does. As the weights go to 0 it
    falls back to nothing of use.

    Args:
        steps: The trajectories.
        action_value: ``Q(s_t, a_t)``, as ``(N,)``.
        gamma: Discount, from 0 to 1.
        policy_weight: ``w_pi``, as ``(N,)``; 1 when left out.
        ratio: ``rho``; 1 when left out.

    Raises:
        TypeError: Arrays and tensors are mixed.
        ValueError: ``gamma`` is outside, shapes differ, or a number is not finite.
    """
    q, weight, ratio = _checked(steps, "action_value", action_value, gamma, policy_weight, ratio)
    fixed = steps.value + weight * (steps.reward - q)
    return _estimate(steps, ratio, gamma, fixed=fixed, scaled=0.0 * q, gain=gamma * weight)


def residual(
    steps: Trajectories,
    baseline: Array,
    *,
    gamma: float,
    policy_weight: Array | None = None,
    ratio: DynamicsRatio | None = None,
) -> Array:
    """Return doubly robust estimates in the residual form, as ``(N,)``: V as the weights go to 0.

    Args:
        steps: The trajectories.
        baseline: ``b``: ``Q(s_t, a_t)``, or what :func:`model_baseline` returns, as ``(N,)``.
        gamma: Discount, from 0 to 1.
        policy_weight: ``w_pi``, as ``(N,)``; 1 when left out.
        ratio: ``rho``; 1 when left out.

    Raises:
        TypeError: Arrays and tensors are mixed.
        ValueError: ``gamma`` is outside, shapes differ, or a number is not finite.
    """
    b, weight, ratio = _checked(steps, "baseline", baseline, gamma, policy_weight, ratio)
    scaled = weight * (steps.reward - b)
    return _estimate(steps, ratio, gamma, fixed=steps.value, scaled=scaled, gain=gamma * weight)


def model_baseline(steps: Trajectories, reward_model: Array, *, gamma: float) -> Array:
    """Return the baseline ``r_hat(s_t, a_t, s_{t+1}) + gamma nd V(s_{t+1})``, as ``(N,)``.

    Args:
        steps: The trajectories.
        reward_model: ``r_hat``, as ``(N,)``.
        gamma: Discount, from 0 to 1.

    Raises:
        TypeError: Arrays and tensors are mixed.
        ValueError: ``gamma`` is outside, shapes differ, or a number is not finite.
    """
    modelled, _, _ = _checked(steps, "reward_model", reward_model, gamma, None, None)
    return modelled + gamma * steps.goes_on * steps.next_value


def action_values(
    steps: Trajectories,
    action_value: Array,
    *,
    gamma: float,
    ratio: DynamicsRatio | None = None,
    estimate: Array | None = None,
) -> Array:
    """Return the action-value form ``Y``, as ``(N,)``: what Q and V are to learn.

    Args:
        steps: The trajectories.
        action_value: ``Q(s_t, a_t)``, as ``(N,)``.
        gamma: Discount, from 0 to 1.
        ratio: ``rho``; 1 when left out.
        estimate: ``G``, as ``(N,)``; one step, ``G_{t+1} = V(s_{t+1})``, when left out.

    Raises:
        TypeError: Arrays and tensors are mixed.
        ValueError: ``gamma`` is outside, shapes differ, or a number is not finite.
    """
    added = added_reward(steps, action_value, gamma=gamma, ratio=ratio, estimate=estimate)
    return steps.reward + added + gamma * steps.goes_on * steps.next_value


def added_reward(
    steps: Trajectories,
    action_value: Array,
    *,
    gamma: float,
    ratio: DynamicsRatio | None = None,
    estimate: Array | None = None,
) -> Array:
    """Return what an agent is to be paid beside the reward, ``r' - r``, as ``(N,)``.

    With :func:`action_values` as ``Y``, ``r' = Y - gamma nd V(s_{t+1})``: an agent that learns by V, or by its own
    values once they are right, learns the target's values from the source's transitions. Over one step with ``rho = 1``
    nothing is added, exactly.

    Args:
        steps: The trajectories.
        action_value: ``Q(s_t, a_t)``, as ``(N,)``.
        gamma: Discount, from 0 to 1.
        ratio: ``rho``; 1 when left out.
        estimate: ``G``, as ``(N,)``; one step, ``G_{t+1} = V(s_{t+1})``, when left out.

    Raises:
        TypeError: Arrays and tensors are mixed.
        ValueError: ``gamma`` is outside, shapes differ, or a number is not finite.
    """
    q, _, ratio = _checked(steps, "action_value", action_value, gamma, None, ratio)
    bootstrap = steps.goes_on * steps.next_value
    following = bootstrap
    if estimate is not None:
        following = following_estimate(steps, _numbers(steps, "estimate", estimate))
    rho = ratio.given(following, next_value=steps.next_value, reward=steps.reward, gamma=gamma)
    return (rho - 1.0) * (steps.reward + gamma * following - q) + gamma * (following - bootstrap)


def one_step_added(
    *, reward: Array, action_value: Array, bootstrap: Array, gamma: float, ratio: DynamicsRatio
) -> Array:
    """Return what :func:`added_reward` does over one step, of transitions in any order, unchecked, as ``(B,)``.

    Args:
        reward: ``r``, as ``(B,)``.
        action_value: ``Q(s, a)``, as ``(B,)``.
        bootstrap: ``nd V(s')``, as ``(B,)``.
        gamma: Discount.
        ratio: ``rho``.
    """
    rho = ratio.given(bootstrap, next_value=bootstrap, reward=reward, gamma=gamma)
    return (rho - 1.0) * (reward + gamma * bootstrap - action_value)


def _estimate(
    steps: Trajectories, ratio: DynamicsRatio, gamma: float, *, fixed: Array, scaled: Array, gain: Array
) -> Array:
    """Return ``G_t = fixed + rho (scaled + gain G_{t+1})``, as ``(N,)``."""
    if not ratio.slides:
        fixed, gain = fixed + ratio.low * scaled, ratio.low * gain
        return backward(steps, lambda index, following: fixed[index] + gain[index] * following)

    def step(index: Array, following: Array) -> Array:
        rho = ratio.at(index).given(
            following, next_value=steps.next_value[index], reward=steps.reward[index], gamma=gamma
        )
        return fixed[index] + rho * (scaled[index] + gain[index] * following)

    return backward(steps, step)


def _checked(
    steps: Trajectories,
    name: str,
    values: Array,
    gamma: float,
    policy_weight: Array | None,
    ratio: DynamicsRatio | None,
) -> tuple[Array, Array, DynamicsRatio]:
    """Return values, weights and ratios, one a step each, once all is as it must be."""
    require_share("gamma", gamma)
    values = _numbers(steps, name, values)
    ones = namespace(values).ones_like(values)
    weights = ones if policy_weight is None else _numbers(steps, "policy_weight", policy_weight)
    if bool((weights < 0.0).any()):
        raise ValueError(f"`policy_weight` is a ratio of probabilities, >= 0; got {float(weights.min())}.")
    if ratio is None:
        return values, weights, DynamicsRatio(low=ones, high=ones)
    for side in ("low", "high"):
        _numbers(steps, f"ratio.{side}", getattr(ratio, side))
    return values, weights, ratio


def _numbers(steps: Trajectories, name: str, values: Array) -> Array:
    """Return numbers in float64, one finite one a step."""
    require_like(steps, name, values)
    values = in_float64(values)
    require_finite_array(name, values)
    return values
