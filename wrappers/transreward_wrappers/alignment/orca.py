"""Ordered coverage: every step of the reference is visited, in order (Huey et al., 2025, arXiv:2502.05397).

    P_ij = max(P_i-1,j, P_i,j-1 exp(-c_ij / tau))

is the probability that the target's steps up to i have covered the reference's up to j. Unlike a warping path, a
coverage may pass over steps of the target.
"""

from __future__ import annotations

import numpy as np

from transreward_envs.errors import require_positive
from transreward_wrappers.alignment.alignment import Alignment, along
from transreward_wrappers.alignment.recursion import lowest
from transreward_wrappers.compensation import Float


def orca(costs: Float) -> Alignment:
    """Return the most probable coverage: each source step goes to the one target step that covers it.

    The total is the sum of the costs of these cells, ``-tau log P`` for any tau. Of equal target steps, the nearest to
    the diagonal covers.

    Args:
        costs: As ``(T, T_ref)``.
    """
    covering, covered = _recursion(costs)
    last, path = len(costs) - 1, []
    for column in reversed(range(costs.shape[1])):
        last = lowest(covering[: last + 1, column], column)
        path.append((last, column))
    return along(np.array(path[::-1], dtype=np.int64), costs, float(covered[-1, -1]))


def coverage(costs: Float, *, tau: float = 1.0) -> Float:
    """Return P, as ``(T, T_ref)``; its last column is the paper's reward.

    Args:
        costs: As ``(T, T_ref)``.
        tau: Temperature, in units of cost.

    Raises:
        TypeError: ``tau`` is not a number.
        ValueError: It is not finite or not above 0.
    """
    require_positive("tau", tau)
    return np.exp(-_recursion(costs)[1] / tau)


def _recursion(costs: Float) -> tuple[Float, Float]:
    """Return the least cost of covering up to j with i as the one that covers j, and with any up to i."""
    covering, covered = np.empty_like(costs), np.empty_like(costs)
    before: Float = np.zeros(len(costs))
    for column in range(costs.shape[1]):
        np.add(before, costs[:, column], out=covering[:, column])
        before = covered[:, column] = np.minimum.accumulate(covering[:, column])
    return covering, covered
