"""InvertedDoublePendulum: two poles on a cart."""

from __future__ import annotations

from typing import ClassVar

import mujoco
from gymnasium.envs.mujoco.inverted_double_pendulum_v5 import InvertedDoublePendulumEnv

from transreward_envs.robots.domain import Domain

LOWEST_TIP = 1.0
"""Height of the tip at which Gymnasium's class ends an episode [m]; it is no setting."""


class InvertedDoublePendulum(Domain, InvertedDoublePendulumEnv):
    """Gymnasium's ``InvertedDoublePendulum-v5``, with shifts.

    Raises:
        ValueError: The poles are so short that every episode would end at once.
    """

    step_info: ClassVar[tuple[str, ...]] = ("reward_survive", "distance_penalty", "velocity_penalty")

    def on_dynamics(self) -> None:
        """Follow a change of the model, and see that upright is high enough."""
        super().on_dynamics()
        data = mujoco.MjData(self.model)
        mujoco.mj_kinematics(self.model, data)
        if (tip := float(data.site_xpos[0, 2])) <= LOWEST_TIP:
            raise ValueError(
                f"The tip of InvertedDoublePendulum's poles must stand above {LOWEST_TIP} m, where an episode ends; "
                f"with these shifts it stands at {tip:.3g} m. Make the poles longer."
            )
