"""The cheap baseline: each target step goes to the reference's nearest, whatever the order (arXiv:2506.06793)."""

from __future__ import annotations

import numpy as np

from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.alignment.recursion import lowest
from transreward_wrappers.compensation import Float


def min_distance(costs: Float) -> Alignment:
    """Return the cheapest cell of each row; of ties, the nearest to the diagonal.

    Source steps that are nobody's nearest stay unmatched.

    Args:
        costs: As ``(T, T_ref)``.
    """
    weights = np.zeros_like(costs)
    for step, row in enumerate(costs):
        weights[step, lowest(row, step)] = 1.0
    return Alignment(costs=costs, weights=weights, total=float(costs.min(axis=1).sum()))
