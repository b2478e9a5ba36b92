"""Transitions with known dynamics."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers import Transitions

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LinearGaussian:
    """``s' = A s + B a + N(0, q^2)`` with standard normal states; actions uniform in [-1, 1], or standard normal."""

    state: Array
    action: Array
    spread: float = 0.3
    normal_actions: bool = False

    def sample(self, count: int, domain: int, generator: np.random.Generator) -> Transitions:
        observation = generator.standard_normal((count, len(self.state)))
        size = (count, self.action.shape[1])
        action = generator.standard_normal(size) if self.normal_actions else generator.uniform(-1.0, 1.0, size)
        noise = self.spread * generator.standard_normal(observation.shape)
        return Transitions(
            observation=observation,
            action=action,
            reward=np.zeros(count),
            next_observation=observation @ self.state.T + action @ self.action.T + noise,
            terminated=np.zeros(count, dtype=bool),
            domain=np.full(count, domain),
        )

    def log_density(self, batch: Transitions) -> Array:
        """Return ``log p(s' | s, a)`` up to a constant."""
        mean = batch.observation @ self.state.T + batch.action @ self.action.T
        return -0.5 * (((batch.next_observation - mean) / self.spread) ** 2).sum(axis=1)

    def feature_covariance(self) -> Array:
        """Return the covariance of ``(s, a, s' - s)`` with normal actions."""
        size = len(self.state)
        inputs = size + self.action.shape[1]
        change = np.concatenate([self.state - np.eye(size), self.action], axis=1)
        noise = self.spread**2 * np.eye(size)
        return np.block([[np.eye(inputs), change.T], [change, change @ change.T + noise]])


SOURCE = LinearGaussian(state=np.array([[0.9, 0.1], [0.0, 0.9]]), action=np.array([[0.0], [0.5]]))
TARGET = LinearGaussian(state=np.array([[0.9, 0.1], [-0.1, 0.8]]), action=np.array([[0.0], [0.25]]))


def some_transitions(count: int, *, observation_size: int = 3, action_size: int = 2, seed: int = 0) -> Transitions:
    generator = np.random.default_rng(seed)
    return Transitions(
        observation=generator.standard_normal((count, observation_size)),
        action=generator.standard_normal((count, action_size)),
        reward=generator.standard_normal(count),
        next_observation=generator.standard_normal((count, observation_size)),
        terminated=generator.random(count) < 0.1,
        domain=generator.integers(0, 2, count),
    )
