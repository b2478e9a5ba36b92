"""Domains of robots that are rewarded for running, and so can be rewarded for running otherwise."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from transreward_envs.robots.domain import Domain


class RunningDomain(Domain):
    """Mixed in before one of Gymnasium's v5 classes with a forward reward, it makes the reward shifts hold."""

    runs: ClassVar[bool] = True
    _forward_reward_weight: float

    def _get_rew(self, x_velocity: float, action: Any) -> tuple[float, dict[str, float]]:
        """Return the reward of a control step and its terms."""
        reward, terms = super()._get_rew(x_velocity, action)  # type: ignore[misc]  # of the class mixed with
        if self.dynamics is None or self.dynamics.reward is None:
            return reward, terms
        reward, terms = self.dynamics.reward.reward(
            terms,
            position=float(self.data.qpos[0]),
            velocity=float(x_velocity),
            weight=self._forward_reward_weight,
        )
        return np.float64(reward), terms
