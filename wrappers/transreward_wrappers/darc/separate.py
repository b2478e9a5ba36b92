"""Pairs of classifiers that learn side by side from the same transitions, each what it would learn alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from transreward_wrappers.darc.learner import ClassifierLearner
from transreward_wrappers.darc.memory import Rows


class SeparateLearners(ClassifierLearner):
    """A learner whose members are those of learners with other seeds: their weights, batches and noise.

    One step of the optimiser moves all of them, which takes much less time than one after another. A member's numbers
    are those that it has alone, to rounding.

    Args:
        seeds: Of the members.
        **settings: Those of :class:`ClassifierLearner`, but for ``members`` and ``seed``.
    """

    def __init__(self, seeds: Sequence[int], **settings: Any) -> None:
        empty = {**settings, "capacity": 1}
        self._alone = [ClassifierLearner(members=1, seed=seed, **empty) for seed in seeds]
        super().__init__(members=len(seeds), seed=seeds[0], **settings)
        weights = [one.classifiers.state_dict() for one in self._alone]
        stacked = {name: torch.cat([own[name] for own in weights]) for name in weights[0]}
        self.classifiers.load_state_dict(stacked)
        self._averaged.load_state_dict(stacked)

    def alone(self, index: int) -> ClassifierLearner:
        """Return a member as it is now, as a learner of its own, that keeps the transitions of all."""
        one = self._alone[index]
        for mine, all_members in ((one.classifiers, self.classifiers), (one._averaged, self._averaged)):
            mine.load_state_dict({name: all_[index : index + 1] for name, all_ in all_members.state_dict().items()})
        one._log_ratio = one._averaged.frozen_log_ratio()
        one._normalizer, one.memory = self._normalizer, self.memory
        one.steps, one.updates, one.warm = self.steps, self.updates, self.warm
        return one

    def _sample(self) -> Rows:
        drawn = [self.memory.sample(self._half, one._generator, batches=1) for one in self._alone]
        return np.concatenate(drawn)

    def _normal(self, shape: torch.Size) -> torch.Tensor:
        return torch.cat([torch.randn(1, *shape[1:], generator=one._generator) for one in self._alone])
