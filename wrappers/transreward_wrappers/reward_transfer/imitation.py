"""Estimator ``imitation``: closeness to the source policy's actions, beyond what the agent has there anyway.

    r' = r + lam_t (c(s, a) - b(s)),    c(s, a) = -mean_i (a_i - pi_S(s)_i)^2

``b(s)`` is the mean of ``c`` over the agent's own actions in s, learnt from what passes through. What is left is an
advantage: whatever states an agent goes to, it comes to 0 in the mean, and says no more than which actions are the
source's. Paid ``c`` alone, as by ``policy``, an agent looks for states in which the source's policy is easily
followed, such as lying still, or ends its episodes, which costs nothing. So the source's actions are learnt in the
states that the agent itself gets into, as in Ross et al. (2011, arXiv:1011.0686), but by reward alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.reward_transfer.baseline import Baseline
from transreward_wrappers.reward_transfer.closeness import Closeness
from transreward_wrappers.reward_transfer.estimate import Estimate
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix

TOLD = 1_000
"""Transitions, the newest, whose mean closeness is told."""


class Imitation(Closeness):
    """Tells how much closer an action is to the source policy's than the agent's are in that state.

    Args:
        observation_size: Length of an observation of the source.
        settings: Of the network of ``b``.
        every: Transitions for each of its gradient steps.
        meant: Which of the source's actions the target's say anything about; all when ``None``.
    """

    def __init__(
        self,
        observation_size: int,
        *,
        settings: FitSettings,
        every: int,
        meant: NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(meant)
        self._baseline = Baseline(observation_size, settings=settings, every=every)

    def __call__(self, batch: Transitions) -> Estimate:
        """Return closeness, less that of the agent's actions there in the mean."""
        plain = super().__call__(batch)
        return replace(plain, amount=plain.amount - self._baseline(batch.observation))

    def observe(self, batch: Transitions, estimate: Estimate) -> None:
        """Learn how close the agent's actions are."""
        assert estimate.closeness is not None
        self._baseline.observe(batch.observation, estimate.closeness)

    def reseed(self, seed: int) -> None:
        """Draw batches from ``seed`` on."""
        self._baseline.reseed(seed)

    def diagnostics(self) -> dict[str, float]:
        """Return the mean closeness of the newest actions."""
        newest = self._baseline.newest(TOLD)
        return {"closeness": float(newest.mean())} if len(newest) else {}

    def tensors(self) -> Tensors:
        """Return the policy's arrays, the bounds of actions, and all of the baseline."""
        return {**with_prefix("policy", super().tensors()), **with_prefix("baseline", self._baseline.tensors())}

    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put policy and baseline back."""
        super().restore(without_prefix("policy", tensors), about)
        self._baseline.restore(without_prefix("baseline", tensors))
