"""InvertedDoublePendulum: two poles on a cart."""

from __future__ import annotations

from typing import ClassVar

from gymnasium.envs.mujoco.inverted_double_pendulum_v5 import InvertedDoublePendulumEnv

from transreward_envs.robots.domain import Domain


class InvertedDoublePendulum(Domain, InvertedDoublePendulumEnv):
    """Gymnasium's ``InvertedDoublePendulum-v5``, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("reward_survive", "distance_penalty", "velocity_penalty")
