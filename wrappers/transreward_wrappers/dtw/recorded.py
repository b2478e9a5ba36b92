"""What the target has been seen to do, from where a search for actions sets out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from transreward_wrappers.compensation import Float
from transreward_wrappers.datasets import Episode
from transreward_wrappers.world_models import Score

NEAREST = 16
"""Recorded sequences that are compared, of those that begin nearest."""


class Recorded:
    """Sequences of actions that were taken in the target, and what they led to.

    Args:
        episodes: Of the target, with actions in ``[-1, 1]``.
        horizon: Actions of a sequence H.
    """

    def __init__(self, episodes: Sequence[Episode], horizon: int) -> None:
        long = [episode for episode in episodes if len(episode) >= horizon]
        self._steps, begins, places = np.arange(horizon), [], 0
        for episode in long:
            begins.append(places + np.arange(len(episode) - horizon + 1))
            places += len(episode) + 1
        self._begins = np.concatenate(begins) if begins else np.zeros(0, dtype=np.int64)
        if long:
            self._observations = np.concatenate([episode.observations for episode in long])
            self._actions = np.concatenate([np.pad(episode.actions, ((0, 1), (0, 0))) for episode in long])
            self._first = self._observations[self._begins]

    def actions(self, observation: Float, score: Score, *, scale: Float) -> torch.Tensor | None:
        """Return the actions whose recorded outcome scores best, of those that began near an observation.

        Args:
            observation: Where from, as ``(observation_size,)``.
            score: Of observations, as of a plan.
            scale: What observations are divided by to tell what is near, as ``(observation_size,)``.

        Returns:
            As ``(H, action_size)``; ``None`` where no episode is as long.
        """
        if not len(self._begins):
            return None
        distances = np.square((self._first - observation) / scale).sum(axis=1)
        count = min(NEAREST, len(distances))
        near = self._begins[np.argpartition(distances, count - 1)[:count]]
        outcomes = torch.from_numpy(self._observations[near[:, None] + self._steps + 1]).float()
        best = near[int(score(outcomes).argmax())]
        return torch.from_numpy(self._actions[best + self._steps]).float()
