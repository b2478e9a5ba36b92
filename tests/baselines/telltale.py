"""A tiny deterministic environment whose observations tell the episode and the step."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from transreward_baselines.lanes import Lanes

ENDS = {3: "terminated", 5: "truncated", 4: "failed"}
LENGTHS = (3, 5, 4, 1, 5)


class Telltale(gym.Env[np.ndarray, np.ndarray]):
    """Observes ``(lane, episode, step)``; rewards are ``100 lane + 10 episode + step``; actions are noted.

    Episodes are 3, 5, 4, 1 and 5 steps long, from a place in that list that depends on the lane; those of 3 and 1 steps
    terminate, those of 5 are truncated, and the physics of those of 4 blow up.
    """

    observation_space = Box(-1.0, 1_000.0, (3,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, lane: int) -> None:
        self.lane, self.episode, self.time = lane, -1, 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return self._observe(), {"physics_failed": False}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        length = LENGTHS[(self.lane + self.episode) % len(LENGTHS)]
        over, failed = self.time == length, self.time == length == 4
        reward = 100.0 * self.lane + 10.0 * self.episode + self.time
        terminated = over and length in (1, 3)
        return self._observe(), reward, terminated, over and not terminated, {"physics_failed": failed}

    def _observe(self) -> np.ndarray:
        return np.array([self.lane, self.episode, self.time], dtype=np.float64)


def telltale_lanes(mode: AutoresetMode, lanes: int = 3) -> Lanes:
    """Return lanes of it."""
    return Lanes(SyncVectorEnv([partial(Telltale, lane) for lane in range(lanes)], autoreset_mode=mode))


def act(observations: np.ndarray) -> np.ndarray:
    """Return actions that the observations tell, so that both modes take the same ones."""
    return np.sin(observations @ np.array([[1.0], [2.0], [3.0]]))
