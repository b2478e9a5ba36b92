"""Walker2d: two-legged planar walker."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv

from transreward_envs.robots.running import RunningDomain


class Walker2d(RunningDomain, Walker2dEnv):
    """Gymnasium's ``Walker2d-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("x_velocity", "reward_forward", "reward_ctrl", "reward_survive")
    healthy_range: ClassVar[str | None] = "_healthy_z_range"
