"""Running statistics, for observations and rewards of a known scale."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPSILON = 1e-8
STARTED = 1e6
LIMIT = 10.0
"""Normalised values are clipped to ``[-LIMIT, LIMIT]``."""


class RunningStatistics:
    """Mean and variance of all values seen so far (Chan, Golub and LeVeque 1983), in double precision.

    Args:
        size: Number of values that are kept apart.
    """

    def __init__(self, size: int) -> None:
        self.mean, self.variance, self.count = np.zeros(size), np.ones(size), 0.0

    def start(self, mean: Array, variance: Array) -> None:
        """Start from statistics that were found before, as if from ``STARTED`` values."""
        self.mean, self.variance, self.count = mean.copy(), variance.copy(), STARTED

    def update(self, values: Array) -> None:
        """Take in values as ``(B, size)``."""
        if (count := len(values)) == 0:
            return
        mean, variance = values.mean(axis=0), values.var(axis=0)
        total, difference = self.count + count, mean - self.mean
        spread = self.variance * self.count + variance * count + difference**2 * self.count * count / total
        self.mean, self.variance, self.count = self.mean + difference * count / total, spread / total, total

    def normalise(self, values: Array) -> NDArray[np.float32]:
        """Return values as ``(..., size)`` with zero mean and unit variance, clipped."""
        scaled = (values - self.mean) / np.sqrt(self.variance + EPSILON)
        clipped: NDArray[np.float32] = np.clip(scaled, -LIMIT, LIMIT).astype(np.float32)
        return clipped

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what :meth:`load` takes."""
        return {
            "mean": torch.from_numpy(self.mean),
            "variance": torch.from_numpy(self.variance),
            "count": torch.tensor(self.count, dtype=torch.float64),
        }

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Put statistics back."""
        self.mean, self.variance = tensors["mean"].numpy().copy(), tensors["variance"].numpy().copy()
        self.count = float(tensors["count"])


class RewardScaler:
    """Divides rewards by the running standard deviation of the discounted return, without shifting them.

    The return runs forward, ``G <- gamma G + r``, as in Engstrom et al. 2020 (arXiv:2005.12729).

    Args:
        lanes: Number of lanes ``B``, each with a return of its own.
        gamma: Discount.
    """

    def __init__(self, lanes: int, gamma: float) -> None:
        self.statistics = RunningStatistics(1)
        self._returns, self._gamma = np.zeros(lanes), gamma

    def scale(self, rewards: Array, done: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Take in ``T`` steps of rewards, all as ``(T, B)``, and return them scaled; invalid ones do not count."""
        returns = np.zeros_like(rewards)
        for t, reward in enumerate(rewards):
            self._returns = np.where(valid[t], self._gamma * self._returns + reward, self._returns)
            returns[t] = self._returns
            self._returns[done[t]] = 0.0
        self.statistics.update(returns[valid][:, None])
        scaled = rewards / np.sqrt(self.statistics.variance[0] + EPSILON)
        clipped: NDArray[np.float32] = np.clip(scaled, -LIMIT, LIMIT).astype(np.float32)
        return clipped
