"""Evaluation on plain domains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from transreward_envs import Pair
from transreward_envs.errors import require_count
from transreward_envs.pairs import Role

Policy = Callable[[Any], Any]
"""From raw observations ``(B, observation_size)`` to actions ``(B, action_size)``."""

EVALUATION_SEED = 1_000_000
"""Far from the seeds of training, so that no start of an episode is met twice."""


def evaluate(
    policy: Policy, pair: Pair, role: Role, *, episodes: int, seed: int = EVALUATION_SEED
) -> NDArray[np.float64]:
    """Return the returns of a policy in one plain domain, one an episode, as ``(episodes,)``.

    Args:
        policy: What is evaluated.
        pair: The pair.
        role: The domain.
        episodes: Number of episodes; they run side by side.
        seed: Of the first episode; each further one has the next.
    """
    require_count("episodes", episodes, at_least=1)

    def maker() -> gym.Env[Any, Any]:
        return pair.make(role, disable_env_checker=True)

    envs = SyncVectorEnv([maker] * episodes, autoreset_mode=AutoresetMode.SAME_STEP)
    try:
        returns, running = np.zeros(episodes), np.ones(episodes, dtype=bool)
        observations, _ = envs.reset(seed=seed)
        while running.any():
            observations, rewards, terminated, truncated, _ = envs.step(policy(observations))
            returns += np.where(running, rewards, 0.0)
            running &= ~(terminated | truncated)
        return returns
    finally:
        envs.close()
