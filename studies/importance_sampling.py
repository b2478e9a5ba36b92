"""Importance sampling over whole episodes, of rewards, and of what values did not foresee."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.drae import Trajectories

Array = NDArray[np.float64]


def sampled(reward: Array, weight: Array, ends: NDArray[np.bool_], *, gamma: float, normalised: bool) -> Array:
    """Return per-decision estimates (Precup et al., 2000) of episodes of a start each, whose mean is that of the value.

    Args:
        reward: One episode after the other, as ``(N,)``.
        weight: Of each transition: the ratio of policies times that of dynamics, as ``(N,)``.
        ends: Whether a transition is its episode's last, as ``(N,)``.
        gamma: Discount.
        normalised: Whether the weights of all episodes at one step are divided by their mean: biased, of less variance.

    Returns:
        As ``(episodes,)``. Not finite, where weights have multiplied beyond all numbers.
    """
    episode: NDArray[np.int64] = np.cumsum(ends) - ends
    count = int(episode[-1]) + 1
    step = np.arange(len(reward)) - np.flatnonzero(np.diff(episode, prepend=-1))[episode]
    logs, rewards = np.zeros((2, count, int(step.max()) + 1))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        logs[episode, step] = np.log(weight)
        rewards[episode, step] = reward * gamma**step
        logs = np.cumsum(logs, axis=1)  # over at the end, an episode keeps its weight and earns nothing
        if normalised:
            largest = logs.max(axis=0)
            logs -= np.where(np.isfinite(largest), largest, 0.0)
        weights = np.exp(logs)
        if normalised:
            weights /= np.maximum(weights.mean(axis=0), np.finfo(np.float64).tiny)
        found: Array = np.where(rewards == 0.0, 0.0, weights * rewards).sum(axis=1)
    return found


def corrected(steps: Trajectories, baseline: Array, weight: Array, *, gamma: float, normalised: bool) -> Array:
    """Return the values of trajectories' starts, corrected by what came otherwise, as ``(trajectories,)``.

    As it is, that is :func:`transreward_wrappers.drae.residual`; normalised, the weighted doubly robust estimator
    (Thomas and Brunskill, 2016, arXiv:1604.00923), whose weights at a step make 1 on average however long the
    trajectories are.

    Args:
        steps: The trajectories.
        baseline: ``b``, as ``(N,)``.
        weight: Of each transition: the ratio of policies times that of dynamics, as ``(N,)``.
        gamma: Discount.
        normalised: See :func:`sampled`.
    """
    first: NDArray[np.bool_] = np.append(True, steps.ends[:-1])
    surprise = steps.reward + gamma * steps.goes_on * steps.next_value - baseline
    found: Array = steps.value[first] + sampled(surprise, weight, steps.ends, gamma=gamma, normalised=normalised)
    return found
