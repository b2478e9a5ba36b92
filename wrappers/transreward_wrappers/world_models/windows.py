"""Windows of episodes, taken from one array of all of them; none crosses an episode's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_wrappers.datasets import Episode


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Windows of ``L`` steps; ``...`` are their own axes. What lies beyond an episode's end repeats its last state."""

    observations: torch.Tensor
    """The one after the last step too, as ``(..., L + 1, observation_size)``."""

    actions: torch.Tensor
    """In ``[-1, 1]``, as ``(..., L, action_size)``."""

    rewards: torch.Tensor
    """NaN where nobody kept them, as ``(..., L)``."""

    terminated: torch.Tensor
    """Whether the step ended the task, as ``(..., L)``."""

    mask: torch.Tensor
    """Which steps there are, 1 or 0, as ``(..., L)``."""


class Stretches:
    """Episodes one after another, from which windows are taken.

    Args:
        episodes: One at least.
    """

    def __init__(self, episodes: Sequence[Episode]) -> None:
        lengths = np.array([len(episode) for episode in episodes])
        self._first = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
        self._lengths = lengths
        self._last = torch.from_numpy(np.repeat(self._first + lengths, lengths + 1))
        self.observations = _tensor([episode.observations for episode in episodes])
        self._actions = _tensor([_and_nothing(episode.actions) for episode in episodes])
        self._rewards = _tensor([_and_nothing(episode.rewards) for episode in episodes])
        self._terminated = torch.zeros(len(self.observations), dtype=torch.bool)
        ends = (self._first + lengths - 1)[[episode.terminated for episode in episodes]]
        self._terminated[torch.from_numpy(ends)] = True

    def __len__(self) -> int:
        return int(self._lengths.sum())

    def starts(self, length: int) -> torch.Tensor:
        """Return where all windows of ``length`` steps begin; of a shorter episode, its beginning."""
        counts = np.maximum(self._lengths - length + 1, 1)
        begin = np.repeat(self._first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        return torch.from_numpy(begin + np.arange(counts.sum()))

    def windows(self, starts: torch.Tensor, length: int) -> Windows:
        """Return the windows that begin at ``starts``, of any shape."""
        positions = starts[..., None] + torch.arange(length + 1)
        last = self._last[starts][..., None]
        inside = positions[..., 1:] <= last
        positions = positions.minimum(last)
        steps = positions[..., :-1]
        return Windows(
            observations=self.observations[positions],
            actions=self._actions[steps],
            rewards=self._rewards[steps],
            terminated=self._terminated[steps],
            mask=inside.float(),
        )

    def changes(self) -> torch.Tensor:
        """Return how observations change in each step, as ``(N, observation_size)``."""
        windows = self.windows(self.starts(1), 1)
        return windows.observations[:, 1] - windows.observations[:, 0]

    def rewards(self) -> torch.Tensor:
        """Return the reward of each step, as ``(N,)``."""
        return self.windows(self.starts(1), 1).rewards[:, 0]


def _tensor(parts: list[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts, dtype=np.float32, casting="same_kind"))


def _and_nothing(values: NDArray[Any]) -> NDArray[Any]:
    """Return values, and zero for an episode's last state, in which nobody acts."""
    return np.concatenate([values, np.zeros_like(values[:1])])
