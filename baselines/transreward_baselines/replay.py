"""A replay buffer of transitions from many lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_baselines.lanes import LaneSteps
from transreward_envs.errors import require_count


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Transitions drawn from a buffer, ``n`` of them."""

    observations: torch.Tensor
    """``(n, observation_size)``."""

    actions: torch.Tensor
    """In ``[-1, 1]``, as ``(n, action_size)``."""

    rewards: torch.Tensor
    """``(n,)``."""

    next_observations: torch.Tensor
    """Of the same episode, as ``(n, observation_size)``."""

    terminated: torch.Tensor
    """Whether nothing is to be expected beyond, which a time limit does not mean; booleans as ``(n,)``."""


class ReplayBuffer:
    """Keeps the newest transitions, each of one episode, and draws from them at random.

    Args:
        capacity: Number of transitions that are kept.
        observation_size: Length of an observation.
        action_size: Length of an action.
        seed: Of the draws.
    """

    def __init__(self, capacity: int, observation_size: int, action_size: int, *, seed: int) -> None:
        require_count("capacity", capacity, at_least=1)
        self.capacity, self.size = capacity, 0
        self._position = 0
        self._generator = np.random.default_rng(seed)
        self._arrays: dict[str, NDArray[Any]] = {
            "observations": np.zeros((capacity, observation_size), np.float32),
            "actions": np.zeros((capacity, action_size), np.float32),
            "rewards": np.zeros(capacity, np.float32),
            "next_observations": np.zeros((capacity, observation_size), np.float32),
            "terminated": np.zeros(capacity, np.bool_),
        }

    def add(self, observations: NDArray[Any], actions: NDArray[Any], steps: LaneSteps) -> int:
        """Add what a step of all lanes gave, but for lanes that only started again; return how many were added.

        Args:
            observations: Those acted on, as ``(B, observation_size)``.
            actions: Those taken, as ``(B, action_size)``.
            steps: What came of them.
        """
        given = {
            "observations": observations,
            "actions": actions,
            "rewards": steps.rewards,
            "next_observations": steps.last_observations,
            "terminated": steps.terminated,
        }
        self._append({name: values[steps.valid] for name, values in given.items()})
        return int(steps.valid.sum())

    def sample(self, count: int, device: torch.device) -> Batch:
        """Return transitions drawn with replacement."""
        if self.size == 0:
            raise ValueError("A buffer must hold transitions before any can be drawn; it is empty. Add some first.")
        drawn = self._generator.integers(self.size, size=count)
        return Batch(**{name: torch.from_numpy(array[drawn]).to(device) for name, array in self._arrays.items()})

    def newest(self, count: int, device: torch.device) -> Batch:
        """Return the newest transitions, or as many as there are."""
        where = (self._position - 1 - np.arange(min(count, self.size))) % self.capacity
        return Batch(**{name: torch.from_numpy(array[where]).to(device) for name, array in self._arrays.items()})

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the transitions, the oldest first."""
        start = self._position if self.size == self.capacity else 0
        order = (start + np.arange(self.size)) % self.capacity
        return {name: torch.from_numpy(array[order]) for name, array in self._arrays.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what :meth:`tensors` returned: the newest transitions, if there are more than fit."""
        self.size = self._position = 0
        self._append({name: tensors[name].numpy() for name in self._arrays})

    def _append(self, values: Mapping[str, NDArray[Any]]) -> None:
        given = len(values["rewards"])
        count = min(given, self.capacity)
        where = (self._position + np.arange(count)) % self.capacity
        for name, array in self._arrays.items():
            array[where] = values[name][given - count :]
        self._position = (self._position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)
