"""Reacher: two-joint arm that reaches for a point."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv

from transreward_envs.robots.domain import Domain


class Reacher(Domain, ReacherEnv):
    """Gymnasium's ``Reacher-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("reward_dist", "reward_ctrl")
