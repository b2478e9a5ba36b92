"""How much of what the agent meets the source data know."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_wrappers.compensation import Float
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix

REFERENCES = 512
"""States of the source data to compare with, drawn at random; half of all where there are fewer than twice as many."""

WITHIN = 0.95
"""Share of the source's own states that count as known."""


class Coverage:
    """Tells states that are no farther from the source data than 95 of 100 states of the source itself.

    The distance is the Euclidean one to the nearest of some states of the data, features in standard deviations. It
    is of all features together: a state of known positions and known velocities that never went together is far.

    Args:
        observation_size: Length of an observation.
    """

    def __init__(self, observation_size: int) -> None:
        self._size = observation_size
        self._states = RunningNormalizer(observation_size)
        self._keep(np.zeros((1, observation_size), dtype=np.float32), 0.0)

    def fit(self, observation: Float, held_out: Float, *, seed: int) -> None:
        """Keep states of the data, and learn from those held out how near is near; as ``(N, observation_size)``."""
        self._states = RunningNormalizer(self._size)
        self._states.observe(observation)
        count = min(REFERENCES, (len(observation) + 1) // 2)
        index = np.random.default_rng(seed).permutation(len(observation))[:count]
        self._keep(self._states(observation[index].astype(np.float32)), 0.0)
        self._limit = float(np.quantile(self._distances(held_out), WITHIN))

    def __call__(self, observation: Float) -> NDArray[np.bool_]:
        """Return which states are near, as ``(B,)``."""
        return self._distances(observation) <= self._limit

    def tensors(self) -> Tensors:
        """Return the states and what is near."""
        return {
            **with_prefix("states", self._states.tensors()),
            "references": torch.from_numpy(self._references),
            "limit": torch.tensor(self._limit, dtype=torch.float64),
        }

    def load_tensors(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._states.load_tensors(without_prefix("states", tensors))
        self._keep(tensors["references"].numpy(), float(tensors["limit"]))

    def _keep(self, references: NDArray[np.float32], limit: float) -> None:
        """Keep states, their squared lengths, and what is near."""
        self._references, self._squares, self._limit = references, np.square(references).sum(axis=1), limit

    def _distances(self, observation: Float) -> NDArray[np.float32]:
        """Return the distance of each state to the nearest reference, as ``(B,)``."""
        states = self._states(observation.astype(np.float32))
        rest = (self._squares - 2.0 * states @ self._references.T).min(axis=1)  # squared, but for the state's length
        nearest: NDArray[np.float32] = np.sqrt(np.maximum(np.square(states).sum(axis=1) + rest, 0.0))
        return nearest
