"""What ``gymnasium.make_vec`` calls: ``transreward_envs.batched.entry_points:Hopper`` makes lanes of Hopper."""

from __future__ import annotations

from functools import partial
from typing import Any

from gymnasium.vector import SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from transreward_envs.batched.tasks import TASKS
from transreward_envs.batched.vector_env import BatchedDomain
from transreward_envs.training.budget import join_environments
from transreward_envs.training.entry_points import make_target


def __getattr__(name: str) -> Any:
    """Return what makes lanes of a robot."""
    if name not in TASKS:
        raise AttributeError(name)
    return partial(BatchedDomain, robot=name)


def make_target_lanes(
    *,
    num_envs: int,
    robot: str,
    max_episode_steps: int | None = None,
    target_budget: int | None = None,
    shared_state: str | None = None,
    **kwargs: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make lanes of a target domain; those that spend a budget together are stepped one by one."""
    if target_budget is None:
        return BatchedDomain(num_envs=num_envs, robot=robot, max_episode_steps=max_episode_steps, **kwargs)
    kwargs.pop("threads", None)
    if kwargs.pop("lane_shifts", None) is not None:
        raise ValueError("Lanes that spend a budget together have one target; give `shift` in place of `lane_shifts`.")
    vector = {name: kwargs.pop(name) for name in ("autoreset_mode", "copy") if name in kwargs}

    def make_one() -> Any:
        target = make_target(robot=robot, target_budget=target_budget, shared_state=shared_state, **kwargs)
        return target if max_episode_steps is None else TimeLimit(target, max_episode_steps)

    envs = SyncVectorEnv([make_one] * num_envs, **vector)
    join_environments(envs.envs)
    return envs
