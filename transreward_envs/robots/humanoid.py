"""Humanoid: two-legged robot with arms."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.humanoid_v5 import HumanoidEnv

from transreward_envs.robots.running import RunningDomain


class Humanoid(RunningDomain, HumanoidEnv):
    """Gymnasium's ``Humanoid-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = (
        "x_velocity",
        "y_velocity",
        "reward_survive",
        "reward_forward",
        "reward_ctrl",
        "reward_contact",
    )
    healthy_range: ClassVar[str | None] = "_healthy_z_range"
