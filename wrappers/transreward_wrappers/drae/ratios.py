"""Weights of transitions and of actions: from log-ratios, clipped, and safe from what is no number.

All in log space, and in the direction target over source:

    log rho_t  = log p_T(s_{t+1} | s_t, a_t) - log p_S(s_{t+1} | s_t, a_t)
    log w_pi   = log pi(a_t | s_t) - log mu(a_t | s_t)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from transreward_envs.errors import require_positive, unknown
from transreward_wrappers.drae.arrays import Array, in_float64, namespace

RatioKind = Literal["classifier", "interval", "slide", "one"]
LEAST_LOG_WEIGHT = -20.0
"""Of weights that are not 0 [nats]."""

SMALLEST_DIVISOR = 1e-8
"""Below, the formula of kind ``slide`` says nothing."""


def weight(log_ratio: Array, *, clip: float) -> Array:
    """Return ratios, clipped to ``[exp(-20), clip]``; 0 where the log-ratio is no finite number.

    Such a log-ratio is that of something which cannot be, or of a density that is missing: it says nothing, and with
    a weight of 0 estimates fall back on V.

    Args:
        log_ratio: [nats], of any shape.
        clip: The largest weight.

    Raises:
        ValueError: ``clip`` is not a positive number, or below exp(-20).
    """
    require_clip(clip)
    log_ratio = in_float64(log_ratio)
    xp = namespace(log_ratio)
    finite = xp.isfinite(log_ratio)
    largest = math.log(clip)  # whose exponential is a rounding error away from `clip`, on either side
    kept = xp.clip(xp.where(finite, log_ratio, 0.0), LEAST_LOG_WEIGHT, largest)
    ratio = xp.where(kept < largest, xp.clip(xp.exp(kept), None, clip), clip)
    return xp.where(finite, ratio, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DynamicsRatio:
    """The ratio p_T / p_S of each transition, or the interval that it is in; made by :func:`dynamics_ratio`."""

    low: Array
    """Of the interval, as ``(N,)``."""

    high: Array
    """As ``(N,)``; the same as ``low`` where the ratio is one number."""

    slides: bool = False
    """Whether the ratio is chosen from the interval by what follows."""

    def given(self, following: Array, *, next_value: Array, reward: Array, gamma: float) -> Array:
        """Return the ratio, as ``(N,)``.

        Where it slides, it is the minimiser of the bound on the mean squared error, kept within the interval:

            (gamma V(s_{t+1}) - r_t) / (2 gamma G_{t+1})

        and, where that divides by nothing, the point of the interval that is nearest to 1.

        Args:
            following: ``G_{t+1}``, 0 at an end of the task.
            next_value: ``V(s_{t+1})``.
            reward: ``r_t``.
            gamma: Discount.
        """
        if not self.slides:
            return self.low
        xp = namespace(following)
        divisor = 2.0 * gamma * following
        some = xp.abs(divisor) > SMALLEST_DIVISOR
        best = (gamma * next_value - reward) / xp.where(some, divisor, 1.0)
        return xp.minimum(xp.maximum(xp.where(some, best, 1.0), self.low), self.high)

    def at(self, index: Array) -> DynamicsRatio:
        """Return those of some transitions."""
        return DynamicsRatio(low=self.low[index], high=self.high[index], slides=self.slides)


def dynamics_ratio(log_ratios: Array, kind: RatioKind, *, clip: float) -> DynamicsRatio:
    """Return the ratio of dynamics of each transition.

    Args:
        log_ratios: What each member of an ensemble of classifiers makes of ``log p_T - log p_S`` [nats], as ``(K, N)``.
            A transition of which a member's is no finite number has the ratio 0.
        kind: ``classifier``: exp of the members' mean. ``interval``: the point nearest to 1 between the lowest and the
            highest member. ``slide``: any point there, see :meth:`DynamicsRatio.given`. ``one``: 1, as if there were
            no difference.
        clip: The largest ratio.

    Raises:
        ValueError: A kind is unknown, ``clip`` is not positive, or there are no members.
    """
    if kind not in get_args(RatioKind):
        raise ValueError(unknown("kind of ratio", kind, get_args(RatioKind)))
    require_clip(clip)
    log_ratios = in_float64(log_ratios)
    if log_ratios.ndim != 2 or 0 in log_ratios.shape:
        raise ValueError(
            f"Log-ratios of dynamics are one a member and transition, (K, N); got the shape {tuple(log_ratios.shape)}. "
            "Those of one classifier have K = 1."
        )
    xp = namespace(log_ratios)
    if kind == "one":
        ones = xp.ones_like(log_ratios[0])
        return DynamicsRatio(low=ones, high=ones)
    each = weight(log_ratios, clip=clip)
    known = (each > 0.0).all(0)
    if kind == "classifier":
        mean = weight(xp.where(known, log_ratios, 0.0).sum(0) / len(log_ratios), clip=clip)
        ratio = xp.where(known, mean, 0.0)
        return DynamicsRatio(low=ratio, high=ratio)
    bounds = (xp.amin(each, 0), xp.amax(each, 0))
    low, high = (xp.where(known, bound, 0.0) for bound in bounds)
    if kind == "interval":
        low = high = xp.clip(xp.ones_like(low), low, high)
    return DynamicsRatio(low=low, high=high, slides=kind == "slide")


def require_clip(clip: float, name: str = "clip") -> None:
    """Raise ``ValueError`` unless a largest weight leaves any weights but 0, ``TypeError`` if it is no number."""
    require_positive(name, clip)
    if clip < math.exp(LEAST_LOG_WEIGHT):
        raise ValueError(f"`{name}` must be at least exp({LEAST_LOG_WEIGHT:g}), the smallest weight; got {clip!r}.")
