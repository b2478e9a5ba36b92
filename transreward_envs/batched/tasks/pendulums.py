"""Poles on a cart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.tasks.task import Array, Bools, Info, Task


class InvertedPendulumTask(Task):
    """As Gymnasium's ``InvertedPendulum-v5``."""

    def before(self) -> None:
        """Nothing: the reward is of the state alone."""

    def observe(self) -> Array:
        """Return positions and velocities."""
        return np.concatenate([self.qpos, self.qvel], axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward standing; end where the pole has fallen."""
        seen = self.observe()
        terminated = ~np.isfinite(seen).all(axis=1) | (np.abs(seen[:, 1]) > 0.2)
        reward = (~terminated).astype(np.float64)
        return reward, terminated, {"reward_survive": reward.copy()}


class InvertedDoublePendulumTask(Task):
    """As Gymnasium's ``InvertedDoublePendulum-v5``."""

    fields = ("site_xpos", "qfrc_constraint")

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._held, self._tip = engine.derived["qfrc_constraint"][:, 0], engine.derived["site_xpos"][:, 0]

    def before(self) -> None:
        """Nothing: the reward is of the state alone."""

    def observe(self) -> Array:
        """Return the cart's place, angles, velocities, and what holds the cart."""
        qpos, qvel = self.qpos, self.qvel
        parts = [qpos[:, :1], np.sin(qpos[:, 1:]), np.cos(qpos[:, 1:]), np.clip(qvel, -10, 10)]
        return np.concatenate([*parts, np.clip(self._held, -10, 10)[:, None]], axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward standing, high, in the middle and still; end where the tip is low."""
        x, y = self._tip[:, 0], self._tip[:, 2]
        terminated = y <= 1
        terms: dict[str, Array] = {
            "reward_survive": self.env._healthy_reward * (~terminated).astype(np.float64),
            "distance_penalty": -(0.01 * x**2 + (y - 2) ** 2),
            "velocity_penalty": -(1e-3 * self.qvel[:, 1] ** 2 + 5e-3 * self.qvel[:, 2] ** 2),
        }
        return np.sum(list(terms.values()), axis=0), terminated, terms
