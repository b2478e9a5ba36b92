"""HalfCheetah: planar two-legged runner."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv

from transreward_envs.robots.running import RunningDomain


class HalfCheetah(RunningDomain, HalfCheetahEnv):
    """Gymnasium's ``HalfCheetah-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("x_velocity", "reward_forward", "reward_ctrl")
