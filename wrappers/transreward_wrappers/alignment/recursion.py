"""The recursion of dynamic time warping over a cost matrix, and the way back through it.

A_ij = c_ij + min(A_i-1,j-1, A_i-1,j, A_i,j-1)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.compensation import Float

Least = Callable[[Float, Float, Float], Float]


def hard_least(diagonal: Float, up: Float, left: Float) -> Float:
    """Return the least of three predecessors."""
    return np.minimum(np.minimum(diagonal, up), left)


def accumulate(costs: Float, least: Least = hard_least) -> Float:
    """Return the cost of the best path to each cell, one anti-diagonal at a time.

    Args:
        costs: As ``(T, T_ref)``; infinity where no path may go.
        least: Joins the three predecessors of cells; another one makes it soft.

    Returns:
        A as ``(T + 1, T_ref + 1)``; the first row and column lie outside, infinite but for the corner.
    """
    rows, columns = costs.shape
    table = np.full((rows + 1, columns + 1), np.inf)
    table[0, 0] = 0.0
    table[1:, 1:] = costs
    flat, width = table.reshape(-1), columns + 1
    for diagonal in range(rows + columns - 1):
        first, last = max(0, diagonal - columns + 1), min(rows - 1, diagonal)
        start = (first + 1) * width + diagonal - first + 1
        stop = start + (last - first) * columns + 1
        before = (flat[start - back : stop - back : columns] for back in (width + 1, width, 1))
        flat[start:stop:columns] += least(*before)
    return table


def trace(table: Float, end: int) -> NDArray[np.int64]:
    """Return the cells of the best path to a cell of the last row, as ``(length, 2)``.

    Ties go to the diagonal, then to the cell above.

    Args:
        table: What :func:`accumulate` returned.
        end: Column of the last cell.
    """
    row, column = len(table) - 1, end + 1
    path = []
    while row and column:
        path.append((row - 1, column - 1))
        diagonal, up, left = table[row - 1, column - 1], table[row - 1, column], table[row, column - 1]
        if diagonal <= up and diagonal <= left:
            row, column = row - 1, column - 1
        elif up <= left:
            row -= 1
        else:
            column -= 1
    return np.array(path[::-1], dtype=np.int64)


def lowest(values: Float, diagonal: int) -> int:
    """Return where values are lowest; of ties, the nearest to the diagonal."""
    (ties,) = np.nonzero(values == values.min())
    return int(ties[abs(ties - diagonal).argmin()])
