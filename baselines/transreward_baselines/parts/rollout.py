"""Rollouts of many lanes, and the advantages of what was done in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(kw_only=True, slots=True)
class Rollout:
    """What ``T`` steps of ``B`` lanes gave."""

    observations: Array
    """Normalised, the one after the last step too, as ``(T + 1, B, observation_size)``."""

    actions: Array
    """As drawn, before they are clipped, as ``(T, B, action_size)``."""

    log_densities: Array
    """Of the actions, but for a constant, as ``(T, B)``."""

    rewards: Array
    """Scaled, as ``(T, B)``."""

    values: Array
    """Of the observations acted on, as ``(T, B)``."""

    next_values: Array
    """Of what the actions led to, the end of an episode too; 0 beyond termination, as ``(T, B)``."""

    done: Bools
    """Whether the episode ended, as ``(T, B)``."""

    valid: Bools
    """Whether the lane stepped, as ``(T, B)``."""


def estimate_advantages(
    rewards: Array, values: Array, next_values: Array, done: Bools, valid: Bools, *, gamma: float, gae_lambda: float
) -> Array:
    """Return generalised advantages, ``A_t = r_t + gamma V(s'_t) - V(s_t) + gamma lambda A_{t+1}``, as ``(T, B)``.

    No sum goes beyond the end of an episode, and invalid steps, which are no transitions, have none.
    """
    errors = rewards + gamma * next_values - values
    advantages, following = np.zeros_like(errors), np.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        following = np.where(valid[t], errors[t] + gamma * gae_lambda * ~done[t] * following, 0.0)
        advantages[t] = following
    return advantages
