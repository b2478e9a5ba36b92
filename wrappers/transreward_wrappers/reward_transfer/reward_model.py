"""Estimator ``reward``, the literal form: what the source would have paid at the same state and action.

r' = r + lam (r_S*(s, a) - r)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.normalization import side_by_side
from transreward_wrappers.regression import FitSettings, Regression
from transreward_wrappers.reward_transfer.estimate import Estimate, Estimator
from transreward_wrappers.storage import Tensors


class RewardModel(Estimator):
    """Predicts ``r_S*(s, a)`` as the mean of an ensemble over normalised ``(s, a)``; its spread tells how sure it is.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        settings: Of the fit.
    """

    def __init__(self, observation_size: int, action_size: int, *, settings: FitSettings) -> None:
        self._regression = Regression(observation_size + action_size, settings=settings, name="the source's reward")

    def fit(self, data: Transitions) -> None:
        """Fit to transitions by squared error, each member on its own batches."""
        self._regression.fit(side_by_side(data.observation, data.action), data.reward)

    def __call__(self, batch: Transitions) -> Estimate:
        """Return ``r_S*(s, a) - r`` and the ensemble's spread."""
        predicted, spread = self._regression(side_by_side(batch.observation, batch.action))
        return Estimate(amount=predicted - batch.reward, spread=spread)

    def tensors(self) -> Tensors:
        """Return weights and statistics."""
        return self._regression.tensors()

    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put the weights and statistics back."""
        self._regression.restore(tensors)
