"""Hopper: one-legged hopping robot."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.hopper_v5 import HopperEnv

from transreward_envs.robots.running import RunningDomain


class Hopper(RunningDomain, HopperEnv):
    """Gymnasium's ``Hopper-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("x_velocity", "reward_forward", "reward_ctrl", "reward_survive")
    healthy_range: ClassVar[str | None] = "_healthy_z_range"
