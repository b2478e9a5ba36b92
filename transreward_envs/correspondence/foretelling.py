"""A small model of a domain's one-step dynamics, by NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from transreward_envs.correspondence.domain_map import Array

FEATURES = 64
RIDGE = 1e-3
LIMIT = 10.0
"""Inputs are clipped to this many standard deviations."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Foretelling:
    """Foretells by how much an action changes an observation: ridge regression on linear and random ReLU features.

    Random features are those of Rahimi and Recht, 2008 ("Weighted sums of random kitchen sinks").
    """

    mean: Array
    spread: Array
    """Of observation and action side by side, as ``(inputs,)``."""

    directions: Array
    """As ``(inputs, features)``."""

    offsets: Array
    """As ``(features,)``."""

    weights: Array
    """As ``(1 + inputs + features, observation_size)``."""

    @classmethod
    def fit(
        cls, observation: ArrayLike, action: ArrayLike, next_observation: ArrayLike, generator: np.random.Generator
    ) -> Self:
        """Return the model that fits steps best.

        Args:
            observation: As ``(B, observation_size)``.
            action: As ``(B, action_size)``.
            next_observation: As ``(B, observation_size)``.
            generator: Draws the features.
        """
        before, inputs = np.asarray(observation, dtype=np.float64), side_by_side(observation, action)
        changes = np.asarray(next_observation, dtype=np.float64) - before
        size = inputs.shape[1]
        model = cls(
            mean=inputs.mean(axis=0),
            spread=inputs.std(axis=0) + 1e-6,
            directions=generator.standard_normal((size, FEATURES)) / np.sqrt(size),
            offsets=generator.standard_normal(FEATURES),
            weights=np.zeros(0),
        )
        features, spread = model._features(inputs), changes.std(axis=0) + 1e-12
        gram = features.T @ features + RIDGE * len(features) * np.eye(features.shape[1])
        weights = np.linalg.solve(gram, features.T @ (changes / spread)) * spread
        return replace(model, weights=weights)

    def __call__(self, observation: ArrayLike, action: ArrayLike) -> Array:
        """Return the foretold changes of observations, as ``(B, observation_size)``."""
        changes: Array = self._features(side_by_side(observation, action)) @ self.weights
        return changes

    def _features(self, inputs: Array) -> Array:
        scaled = np.clip((inputs - self.mean) / self.spread, -LIMIT, LIMIT)
        bent = np.maximum(scaled @ self.directions + self.offsets, 0.0)
        return np.concatenate([np.ones((len(scaled), 1)), scaled, bent], axis=1)


def side_by_side(observation: ArrayLike, action: ArrayLike) -> Array:
    """Return observations and actions in one array, as ``(B, observation_size + action_size)``."""
    columns: Array = np.concatenate([np.asarray(observation), np.asarray(action)], axis=1, dtype=np.float64)
    return columns
