"""An alignment: which steps of a sequence go with which steps of a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.compensation import Float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Alignment:
    """An assignment of ``T`` target steps to ``T_ref`` steps of a reference."""

    costs: Float
    """What it was found from, as ``(T, T_ref)``."""

    weights: Float
    """The assignment W, non-negative, as ``(T, T_ref)``: 0 or 1 where there is a path."""

    total: float
    """Its cost; comparable between alignments of one method."""

    path: NDArray[np.int64] | None = None
    """Its cells in order, as ``(length, 2)``; ``None`` for an assignment that has no order or is soft."""

    @property
    def shares(self) -> Float:
        """W with its columns divided by their sums, as ``(T, T_ref)``; those of unmatched source steps stay 0."""
        return _normalised(self.weights, axis=0)

    @property
    def averages(self) -> Float:
        """W with its rows divided by their sums, as ``(T, T_ref)``; those of unmatched target steps stay 0."""
        return _normalised(self.weights, axis=1)

    @property
    def balanced(self) -> Float:
        """W divided by the roots of its rows' and columns' sums: the geometric mean of both, as ``(T, T_ref)``."""
        return np.sqrt(self.shares * self.averages)


def along(path: NDArray[np.int64], costs: Float, total: float) -> Alignment:
    """Return the alignment of a path."""
    weights = np.zeros_like(costs)
    weights[path[:, 0], path[:, 1]] = 1.0
    return Alignment(costs=costs, weights=weights, total=total, path=path)


def _normalised(weights: Float, axis: int) -> Float:
    """Return weights divided by their sums along an axis, where these are not 0."""
    sums = weights.sum(axis=axis, keepdims=True)
    return weights / np.where(sums > 0, sums, 1.0)
