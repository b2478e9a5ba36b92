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
        sums = self.weights.sum(axis=0)
        return self.weights / np.where(sums > 0, sums, 1.0)


def along(path: NDArray[np.int64], costs: Float, total: float) -> Alignment:
    """Return the alignment of a path."""
    weights = np.zeros_like(costs)
    weights[path[:, 0], path[:, 1]] = 1.0
    return Alignment(costs=costs, weights=weights, total=total, path=path)
