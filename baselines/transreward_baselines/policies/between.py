"""Policies on the line between two others, for returns that training stepped over or began above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.policies import GaussianPolicy

HALVINGS = 8
WILD = 3.0
"""Deviation of what a wild network's last layer adds up, so that most actions are clipped [-]."""


def bisect(
    worse: GaussianPolicy, better: GaussianPolicy, value: Callable[[GaussianPolicy], float], low: float, high: float
) -> GaussianPolicy | None:
    """Return a policy between two whose value is between two bounds, or ``None`` if halving finds none.

    Args:
        worse: Its value is below the bounds.
        better: Its value is above; of the same shape.
        value: Of a policy.
        low: The lower bound.
        high: The upper bound.
    """
    start, end = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (start + end)
        found = between(worse, better, middle)
        reached = value(found)
        if low <= reached <= high:
            return found
        start, end = (middle, end) if reached < low else (start, middle)
    return None


def between(first: GaussianPolicy, second: GaussianPolicy, weight: float) -> GaussianPolicy:
    """Return the policy whose parameters are ``(1 - weight)`` of the first's and ``weight`` of the second's.

    Raises:
        ValueError: The two are of different shapes.
    """
    if shape(first) != shape(second):
        raise ValueError(f"Policies can be averaged if they have one shape; got {shape(first)} and {shape(second)}.")

    def mix(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        mixed: NDArray[Any] = ((1.0 - weight) * a + weight * b).astype(a.dtype)
        return mixed

    return replace(
        second,
        weights=tuple(map(mix, first.weights, second.weights)),
        biases=tuple(map(mix, first.biases, second.biases)),
        log_std=mix(first.log_std, second.log_std),
        observation_mean=mix(first.observation_mean, second.observation_mean),
        observation_variance=mix(first.observation_variance, second.observation_variance),
        about={
            **second.about,
            "between": {"steps": [first.about.get("steps"), second.about.get("steps")], "weight": weight},
        },
    )


def shape(policy: GaussianPolicy) -> tuple[object, ...]:
    """Return what policies must share to be averaged."""
    return ([weight.shape for weight in policy.weights], policy.activation, policy.squash, policy.limit)


def wild(policy: GaussianPolicy, *, seed: int = 0) -> GaussianPolicy:
    """Return a policy of the same shape with random weights, whose actions swing from bound to bound.

    Networks are trained from weights by which they hardly act, and where actions cost more than they win, as in
    Reacher, that alone is better than actions at random.
    """
    generator = np.random.default_rng(seed)
    last = len(policy.weights) - 1

    def draw(index: int, weight: NDArray[Any]) -> NDArray[Any]:
        scale = (WILD if index == last else 1.0) / np.sqrt(weight.shape[1])
        drawn: NDArray[Any] = generator.normal(0.0, scale, weight.shape).astype(weight.dtype)
        return drawn

    return replace(
        policy,
        weights=tuple(draw(index, weight) for index, weight in enumerate(policy.weights)),
        biases=tuple(map(np.zeros_like, policy.biases)),
        about={**policy.about, "steps": None},
    )
