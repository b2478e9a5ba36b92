"""Running mean and variance of features (Chan et al., 1979)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_wrappers.storage import Tensors

LIMIT = np.float32(10.0)
"""Normalised features are clipped to this many standard deviations."""


class RunningNormalizer:
    """Normalises features by the mean and variance of all that were seen.

    Args:
        size: Number of features.
    """

    def __init__(self, size: int) -> None:
        self._count = 0
        self._mean = np.zeros(size)
        self._variance = np.ones(size)
        self._freeze()

    def observe(self, features: NDArray[np.float32] | NDArray[np.float64]) -> None:
        """Take in features, as ``(B, size)``."""
        if len(features) == 0:
            return
        values = features.astype(np.float64)
        count, mean, variance = len(values), values.mean(axis=0), values.var(axis=0)
        total = self._count + count
        delta = mean - self._mean
        squares = self._variance * self._count + variance * count + delta**2 * self._count * count / total
        self._count, self._mean, self._variance = total, self._mean + delta * count / total, squares / total
        self._freeze()

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features normalised and clipped, as ``(B, size)``."""
        normalised: NDArray[np.float32] = (features - self._shift) * self._scale
        np.maximum(normalised, -LIMIT, out=normalised)
        return np.minimum(normalised, LIMIT, out=normalised)

    def tensors(self) -> Tensors:
        """Return the statistics."""
        return {
            "count": torch.tensor(self._count),
            "mean": torch.from_numpy(self._mean),
            "variance": torch.from_numpy(self._variance),
        }

    def load_tensors(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._count = int(tensors["count"])
        self._mean, self._variance = tensors["mean"].numpy().copy(), tensors["variance"].numpy().copy()
        self._freeze()

    def _freeze(self) -> None:
        """Keep what a call needs in float32."""
        self._shift = self._mean.astype(np.float32)
        self._scale = (1.0 / np.sqrt(self._variance + 1e-8)).astype(np.float32)


def side_by_side(*parts: NDArray[Any]) -> NDArray[np.float32]:
    """Return parts of features, as ``(B, width)`` each, side by side in float32."""
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")
