"""Pusher: seven-joint arm that pushes a cylinder to a goal."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.pusher_v5 import PusherEnv

from transreward_envs.robots.domain import Domain


class Pusher(Domain, PusherEnv):
    """Gymnasium's ``Pusher-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("reward_dist", "reward_ctrl", "reward_near")
