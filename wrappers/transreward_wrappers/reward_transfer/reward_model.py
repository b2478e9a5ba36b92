"""Estimator ``reward``, the literal form: what the source would have paid at the same state and action.

r' = r + lam (r_S*(s, a) - r)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.networks import EnsembleMLP, Frozen, one_thread, seeded
from transreward_wrappers.normalization import RunningNormalizer, side_by_side
from transreward_wrappers.reward_transfer.estimate import Estimate, Estimator
from transreward_wrappers.reward_transfer.fitting import FitSettings
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix


class RewardModel(Estimator):
    """Predicts ``r_S*(s, a)`` as the mean of an ensemble over normalised ``(s, a)``; its spread tells how sure it is.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        settings: Of the fit.
    """

    def __init__(self, observation_size: int, action_size: int, *, settings: FitSettings) -> None:
        self._width, self._settings = observation_size + action_size, settings
        self._begin()

    def fit(self, data: Transitions) -> None:
        """Fit to transitions by squared error, each member on its own batches."""
        self._begin()
        rows, settings = side_by_side(data.observation, data.action), self._settings
        self._inputs.observe(rows)
        self._reward_mean, self._reward_spread = float(data.reward.mean()), float(data.reward.std()) + 1e-8
        inputs = torch.from_numpy(self._inputs(rows))
        targets = torch.from_numpy(((data.reward - self._reward_mean) / self._reward_spread).astype(np.float32))
        generator = torch.Generator().manual_seed(settings.seed)
        optimizer, schedule = settings.optimizer(list(self._ensemble.parameters()))
        with one_thread():
            for _ in tqdm(range(settings.updates), desc="fitting the source's reward", leave=False, disable=None):
                index = torch.randint(len(rows), (settings.members, settings.batch_size), generator=generator)
                loss = (self._ensemble(inputs[index])[..., 0] - targets[index]).square().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
        self._frozen = Frozen(self._ensemble)

    def __call__(self, batch: Transitions) -> Estimate:
        """Return ``r_S*(s, a) - r`` and the ensemble's spread."""
        predictions = self._frozen(self._inputs(side_by_side(batch.observation, batch.action))).astype(np.float64)
        predictions = predictions * self._reward_spread + self._reward_mean
        return Estimate(amount=predictions.mean(axis=0) - batch.reward, spread=predictions.std(axis=0))

    def tensors(self) -> Tensors:
        """Return weights and statistics."""
        reward = torch.tensor([self._reward_mean, self._reward_spread], dtype=torch.float64)
        return {
            **with_prefix("ensemble", self._ensemble.state_dict()),
            **with_prefix("inputs", self._inputs.tensors()),
            "reward": reward,
        }

    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put the weights and statistics back."""
        self._ensemble.load_state_dict(without_prefix("ensemble", tensors))
        self._frozen = Frozen(self._ensemble)
        self._inputs.load_tensors(without_prefix("inputs", tensors))
        self._reward_mean, self._reward_spread = (float(value) for value in tensors["reward"])

    def _begin(self) -> None:
        """Draw initial weights."""
        hidden = self._settings.hidden
        with seeded(self._settings.seed):
            self._ensemble = EnsembleMLP(self._settings.members, [self._width, hidden, hidden, 1])
        self._frozen = Frozen(self._ensemble)
        self._inputs: RunningNormalizer = RunningNormalizer(self._width)
        self._reward_mean, self._reward_spread = 0.0, 1.0
