"""InvertedPendulum: pole on a cart."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv

from transreward_envs.robots.domain import Domain


class InvertedPendulum(Domain, InvertedPendulumEnv):
    """Gymnasium's ``InvertedPendulum-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("reward_survive",)
