"""Swimmer: three-link swimmer in a viscous plane."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv

from transreward_envs.robots.running import RunningDomain


class Swimmer(RunningDomain, SwimmerEnv):
    """Gymnasium's ``Swimmer-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("x_velocity", "y_velocity", "reward_forward", "reward_ctrl")
