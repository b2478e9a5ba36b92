"""Hopper: one-legged hopping robot."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.hopper_v5 import HopperEnv

from transreward_envs.robots.domain import Domain


class Hopper(Domain, HopperEnv):
    """Gymnasium's ``Hopper-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("x_velocity", "reward_forward", "reward_ctrl", "reward_survive")
