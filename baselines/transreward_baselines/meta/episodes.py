"""Whole episodes of several tasks, played side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_baselines.lanes import Array, Lanes

Rows = NDArray[np.float32]
Act = Callable[[Array], tuple[Rows, Rows]]
"""From observations ``(L, observation_size)`` to actions in ``[-1, 1]``, ``(L, action_size)``, and their log-densities
[nats], ``(L,)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Episodes:
    """One episode of each of ``L`` lanes, padded to ``H`` steps with what means nothing."""

    observations: Rows
    """As ``(L, H + 1, observation_size)``: what each step began with, and what the last led to."""

    actions: Rows
    """In ``[-1, 1]``, as ``(L, H, action_size)``."""

    rewards: Rows
    """As ``(L, H)``; 0 beyond the end."""

    log_densities: Rows
    """Of the actions, under the policy that took them [nats], as ``(L, H)``."""

    lengths: NDArray[np.int64]
    """Steps, as ``(L,)``."""

    terminated: NDArray[np.bool_]
    """Whether the task ended, which a time limit does not mean, as ``(L,)``."""

    @property
    def returns(self) -> Array:
        """Undiscounted, as ``(L,)``."""
        total: Array = self.rewards.sum(axis=1, dtype=np.float64)
        return total

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which steps there are, as ``(L, H)``."""
        there: NDArray[np.bool_] = np.arange(self.rewards.shape[1]) < self.lengths[:, None]
        return there


def play(lanes: Lanes, act: Act, *, horizon: int, seed: int) -> Episodes:
    """Play one episode in each lane.

    A lane whose physics has blown up ends where it was before, with nothing to be expected beyond.

    Args:
        lanes: They are started anew, with seeds ``seed``, ``seed + 1`` and so on.
        act: The policy.
        horizon: The time limit of all lanes [steps].
        seed: Of the first lane's episode.
    """
    count = lanes.num_envs
    arrays: dict[str, NDArray[Any]] = {
        "observations": np.zeros((count, horizon + 1, lanes.observation_size), np.float32),
        "actions": np.zeros((count, horizon, lanes.action_size), np.float32),
        "rewards": np.zeros((count, horizon), np.float32),
        "log_densities": np.zeros((count, horizon), np.float32),
    }
    lengths, terminated = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    going = np.ones(count, np.bool_)
    observations = lanes.reset(seed)
    arrays["observations"][:, 0] = observations
    for step in range(horizon):
        actions, log_densities = act(observations)
        steps = lanes.step(actions)
        led_to = np.where(steps.failed[:, None], observations, steps.last_observations)
        arrays["observations"][going, step + 1] = led_to[going]
        arrays["actions"][going, step] = actions[going]
        arrays["log_densities"][going, step] = log_densities[going]
        arrays["rewards"][going, step] = steps.rewards[going]
        lengths += going
        terminated |= going & steps.terminated
        going &= ~steps.done
        observations = steps.observations
        if not going.any():
            break
    return Episodes(**arrays, lengths=lengths, terminated=terminated)
