"""Humanoid: two-legged robot with arms."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
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

    def control_cost(self, action: Any) -> np.float64:
        """Return the cost of the agent's own action; Gymnasium's class takes what the actuators were given last."""
        cost: np.float64 = self._ctrl_cost_weight * np.sum(np.square(np.asarray(action, dtype=np.float64)))
        return cost
