"""A tiny family of tasks on a line: reward begins at one end or the other, which only rewards tell."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from transreward_baselines.lanes import Lanes

HORIZON = 8
STEP = 0.75
BEST = HORIZON - 1
"""What an agent earns that goes straight to the right end: the first step is on the way."""


class Line(gym.Env[np.ndarray, np.ndarray]):
    """Moves by three quarters of an action; pays 1 for each step that ends at 1 or beyond on its side."""

    observation_space = Box(-np.inf, np.inf, (1,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, side: float) -> None:
        self.side, self.position, self.time = side, 0.0, 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.position, self.time = 0.0, 0
        return np.array([self.position]), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.position, self.time = self.position + STEP * float(action[0]), self.time + 1
        reward = float(self.side * self.position >= 1.0 - 1e-3)
        return np.array([self.position]), reward, False, self.time == HORIZON, {}


class Sides:
    """Tasks by turns of either side, four to learn from and two held out."""

    train, test, horizon = 4, 2, HORIZON

    def lanes(self, tasks: Sequence[int], *, threads: int) -> Lanes:
        envs = [partial(Line, side) for side in self.sides(np.array(tasks))]
        return Lanes(SyncVectorEnv(envs, autoreset_mode=AutoresetMode.SAME_STEP))

    def rewards(
        self, tasks: np.ndarray, observations: np.ndarray, actions: np.ndarray, next_observations: np.ndarray
    ) -> np.ndarray:
        return (self.sides(tasks) * next_observations[:, 0] >= 1.0 - 1e-3).astype(float)

    @staticmethod
    def sides(tasks: np.ndarray) -> np.ndarray:
        return 1.0 - 2.0 * (tasks % 2)
