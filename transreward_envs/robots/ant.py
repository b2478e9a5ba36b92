"""Ant: four-legged walker."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.ant_v5 import AntEnv

from transreward_envs.robots.running import RunningDomain


class Ant(RunningDomain, AntEnv):
    """Gymnasium's ``Ant-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = (
        "x_velocity",
        "y_velocity",
        "reward_forward",
        "reward_ctrl",
        "reward_contact",
        "reward_survive",
    )
    healthy_range: ClassVar[str | None] = "_healthy_z_range"
