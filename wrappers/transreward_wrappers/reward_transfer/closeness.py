"""Estimator ``policy``: closeness to what the source's policy would do.

    r' = r - lam_t mean_i (a_i - pi_S(s)_i)^2

Actions are compared in ``[-1, 1]``, whatever the bounds of the action space. The weight is annealed to 0 unless told
otherwise, so that in the end the target's own reward decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.policies import GaussianPolicy, unscale_actions
from transreward_wrappers.reward_transfer.estimate import Estimate, Estimator
from transreward_wrappers.storage import Tensors


class Closeness(Estimator):
    """Tells minus the mean squared difference to the actions of the policy that :meth:`imitate` was given.

    Args:
        meant: Which of the source's actions the target's say anything about, as ``(action_size,)``; all when ``None``.

    Raises:
        ValueError: They say nothing about any.
    """

    def __init__(self, meant: NDArray[np.bool_] | None = None) -> None:
        if meant is not None and not meant.any():
            raise ValueError(
                "The estimator 'policy' compares actions; by this correspondence none of the target's is one of the "
                "source's. Name joints that both robots drive."
            )
        self._meant = slice(None) if meant is None else meant

    def imitate(self, policy: GaussianPolicy, space: Box) -> None:
        """Compare with a policy from now on.

        Args:
            policy: The source's.
            space: Of the actions to compare.
        """
        self._policy, self._space = policy, space

    def fit(self, data: Transitions) -> None:
        """Learn nothing: the policy was trained before."""

    def __call__(self, batch: Transitions) -> Estimate:
        """Return minus the mean squared difference; an action beyond the bounds counts as one at them."""
        error = unscale_actions(batch.action, self._space) - self._policy(batch.observation).astype(np.float64)
        closeness = -np.square(error[:, self._meant]).mean(axis=1)
        return Estimate(amount=closeness, closeness=closeness)

    def tensors(self) -> Tensors:
        """Return the policy's arrays, and the bounds of actions."""
        bounds = {"low": torch.from_numpy(self._space.low), "high": torch.from_numpy(self._space.high)}
        return {**self._policy.tensors(), **bounds}

    def about(self) -> dict[str, Any]:
        """Return what else there is of the policy."""
        return self._policy.settings()

    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put the policy back."""
        low, high = tensors["low"].numpy(), tensors["high"].numpy()
        self.imitate(GaussianPolicy.from_tensors(tensors, about), Box(low, high, dtype=low.dtype.type))
