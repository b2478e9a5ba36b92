"""A fixed sequence of actions that makes motion visible: one sinusoid a joint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from transreward_envs import Pair
from transreward_envs.errors import require_count, require_share
from transreward_envs.pairs import Role

FREQUENCIES = (0.5, 1.5)
"""From which each joint's frequency is drawn [Hz]."""

STRENGTH = 0.7
"""Amplitude that moves every robot visibly [share of the actuators' range]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SmoothActions:
    """a_i(t) = middle_i + amplitude_i sin(2 pi f_i t + phase_i), of simulated time t alone.

    Domains that act at other times, by a repeat or another time step, follow the same curve. Arrays are
    ``(action_size,)``.
    """

    middle: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    frequency: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def draw(cls, space: gym.Space[NDArray[np.float32]], *, seed: int, strength: float = STRENGTH) -> SmoothActions:
        """Return the sequence of a seed, the same whenever the action space is.

        Args:
            space: A bounded box.
            seed: Of frequencies and phases.
            strength: Amplitude [share of the half range]; 0 rests in the middle.

        Raises:
            ValueError: The space is not bounded, or a number lies outside its range.
        """
        require_count("seed", seed)
        require_share("strength", strength)
        if not (isinstance(space, gym.spaces.Box) and space.is_bounded()):
            raise ValueError(f"A sequence of actions needs a bounded box of actions; got {space}.")
        random = np.random.default_rng(seed)
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        return cls(
            middle=(low + high) / 2,
            amplitude=strength * (high - low) / 2,
            frequency=random.uniform(*FREQUENCIES, size=low.shape),
            phase=random.uniform(0.0, 2.0 * np.pi, size=low.shape),
        )

    def __call__(self, time: float) -> NDArray[np.float32]:
        """Return the action at a simulated time [s], as ``(action_size,)``."""
        wave = np.sin(2.0 * np.pi * self.frequency * time + self.phase)
        action: NDArray[np.float32] = (self.middle + self.amplitude * wave).astype(np.float32)
        return action


def sequence(
    pair: Pair, role: Role, *, seed: int, strength: float = STRENGTH
) -> Callable[[Any, float], NDArray[np.float32]]:
    """Return the sequence of one domain as something that acts; domains of one action space have the same."""
    env = pair.make(role, disable_env_checker=True)
    space = env.action_space
    env.close()
    actions = SmoothActions.draw(space, seed=seed, strength=strength)
    return lambda observation, time: actions(time)
