"""Evaluation of policies: the returns of whole episodes, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from transreward_baselines.lanes import make_lanes
from transreward_envs.batched.vector_env import BatchedEnv
from transreward_envs.errors import require_count

Policy = Callable[[Any], Any]
"""From raw observations ``(B, observation_size)`` to actions ``(B, action_size)``."""

EVALUATION_SEED = 1_000_000
"""Far from the seeds of training, so that no start of an episode is met twice."""


def evaluate_id(
    policy: Policy, env_id: str, *, episodes: int, seed: int = EVALUATION_SEED, **keywords: Any
) -> NDArray[np.float64]:
    """Return the returns of a policy under any id, one an episode, as ``(episodes,)``.

    Args:
        policy: What is evaluated.
        env_id: The id.
        episodes: Number of episodes, each in a lane of its own.
        seed: Of the first episode; each further one has the next.
        keywords: Of :func:`~transreward_baselines.lanes.make_lanes`.
    """
    require_count("episodes", episodes, at_least=1)
    return episode_returns(policy, make_lanes(env_id, episodes, **keywords), seed)


def episode_returns(policy: Policy, envs: VectorEnv[Any, Any, Any], seed: int | Sequence[int]) -> NDArray[np.float64]:
    """Return the return of the first episode in each lane, and close the lanes.

    Where they pay something else, the environment's own rewards are added up.
    """
    try:
        returns, running = np.zeros(envs.num_envs), np.ones(envs.num_envs, dtype=bool)
        observations, _ = envs.reset(seed=seed)  # type: ignore[arg-type]
        while running.any():
            observations, paid, terminated, truncated, infos = envs.step(policy(observations))
            returns += np.where(running, infos.get("reward/env", paid), 0.0)
            running &= ~(terminated | truncated)
            if isinstance(envs, BatchedEnv):  # what wraps one would take the steps of lanes that rest for real
                envs.rest(~running)
        return returns
    finally:
        envs.close()
