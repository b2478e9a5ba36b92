"""Soft-DTW: all paths at once, the cheap ones more (Cuturi and Blondel, 2017, arXiv:1703.01541)."""

from __future__ import annotations

import numpy as np

from transreward_envs.errors import require_positive
from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.alignment.recursion import accumulate
from transreward_wrappers.compensation import Float


def soft_dtw(costs: Float, *, smoothing: float = 0.1) -> Alignment:
    """Return how probable each cell is where a path has the probability ``exp(-cost / smoothing) / Z``.

    The total, ``-smoothing log Z``, lies below DTW's and can be negative; both agree as ``smoothing`` goes to 0.

    Args:
        costs: As ``(T, T_ref)``.
        smoothing: The paper's gamma, in units of cost.

    Raises:
        TypeError: ``smoothing`` is not a number.
        ValueError: It is not finite or not above 0.
    """
    require_positive("smoothing", smoothing)

    def least(diagonal: Float, up: Float, left: Float) -> Float:
        logs = (-before / smoothing for before in (diagonal, up, left))
        return -smoothing * np.logaddexp(np.logaddexp(next(logs), next(logs)), next(logs))

    forth = accumulate(costs, least)[1:, 1:]
    back = accumulate(costs[::-1, ::-1], least)[:0:-1, :0:-1]
    total = forth[-1, -1]
    weights = np.exp(np.minimum((total + costs - forth - back) / smoothing, 0.0))
    return Alignment(costs=costs, weights=weights, total=float(total))
