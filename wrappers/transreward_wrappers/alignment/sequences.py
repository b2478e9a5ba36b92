"""What sequences of observations and cost matrices must be."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from transreward_wrappers.compensation import Float

BLOCK = 2**15
"""Differences that are held at once, few enough for a core's cache."""


def require_finite_array(name: str, values: Float) -> None:
    """Raise unless all values are finite.

    Raises:
        ValueError: One is not; the message says where the first is.
    """
    finite = np.isfinite(values)
    if not finite.all():
        where = tuple(int(axis) for axis in np.argwhere(~finite)[0])
        raise ValueError(f"`{name}` must be finite; got {float(values[where])} at {where}.")


def require_sequence(name: str, value: ArrayLike, *, width: int | None = None, at_least: int = 1) -> Float:
    """Return a sequence of observations as ``(T, D)`` in float64.

    Raises:
        ValueError: It has other axes, another number of features than ``width``, too few steps, or values that are not
            finite.
    """
    sequence = np.asarray(value, dtype=np.float64)
    if sequence.ndim != 2 or sequence.shape[1] == 0 or (width is not None and sequence.shape[1] != width):
        features = "D" if width is None else width
        raise ValueError(f"`{name}` must have the shape (T, {features}); got {sequence.shape}.")
    if len(sequence) < at_least:
        raise ValueError(f"`{name}` must have at least {at_least} step{'s'[: at_least - 1]}; got {len(sequence)}.")
    require_finite_array(name, sequence)
    return sequence


def require_costs(value: ArrayLike) -> Float:
    """Return a cost matrix as ``(T, T_ref)`` in float64.

    Raises:
        ValueError: It is no matrix, is empty, or has costs that are negative or not finite.
    """
    costs = np.asarray(value, dtype=np.float64)
    if costs.ndim != 2 or costs.size == 0:
        raise ValueError(f"`costs` must have the shape (T, T_ref), with a step of each at least; got {costs.shape}.")
    require_finite_array("costs", costs)
    if costs.min() < 0:
        raise ValueError(f"`costs` must be >= 0, as squared distances are; got {costs.min():g}.")
    return costs


def squared_distances(first: Float, second: Float) -> Float:
    """Return the squared Euclidean distances of all pairs of rows, as ``(T, T_ref)``.

    They are summed from differences: equal rows have a cost of exactly 0, and none is below.

    Args:
        first: As ``(T, D)``.
        second: As ``(T_ref, D)``.
    """
    rows = max(1, BLOCK // second.size)
    blocks = (first[start : start + rows, None] - second for start in range(0, len(first), rows))
    return np.concatenate([np.einsum("ijk,ijk->ij", block, block) for block in blocks])
