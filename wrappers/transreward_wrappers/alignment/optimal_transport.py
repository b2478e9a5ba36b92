"""Optimal transport between sequences whose steps all weigh the same, without and with an order in time."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from transreward_envs.errors import require_count, require_positive
from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.compensation import Float

TOLERANCE = 1e-3
"""Share of a plan's mass that may be in a wrong row."""


def ot(costs: Float, *, regularisation: float = 0.1, iterations: int = 2_000) -> Alignment:
    """Return the plan P with the least ``sum P c - regularisation mean(c) H(P)`` (Cuturi, 2013, arXiv:1306.0895).

    It is found by Sinkhorn's iteration and knows no order. Columns sum to ``1 / T_ref``, rows to ``1 / T`` but for a
    thousandth; the total is ``sum P c``.

    Args:
        costs: As ``(T, T_ref)``.
        regularisation: Weight of the plan's entropy H, in units of the mean cost.
        iterations: At most.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: ``regularisation`` is not finite or not above 0, or ``iterations`` below 1.
    """
    return _sinkhorn(costs, costs, np.ones_like(costs, dtype=bool), regularisation, iterations)


def temporal_ot(
    costs: Float, *, band: int = 10, context: int = 3, regularisation: float = 0.1, iterations: int = 2_000
) -> Alignment:
    """Return a plan near the diagonal that compares steps by what follows (Fu et al., 2024, arXiv:2410.21795).

    Costs are averaged over ``context`` steps in a row, ``mean_h c_i+h,j+h``. The total is ``sum P c`` of the costs
    themselves.

    Args:
        costs: As ``(T, T_ref)``.
        band: Steps of the longer sequence by which a cell may lie beside the diagonal, which is stretched where lengths
            differ; ``|i - j| <= band`` where they are equal.
        context: Steps, its own among them; fewer at the end.
        regularisation: Weight of the plan's entropy, in units of the mean cost.
        iterations: At most.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """
    require_count("band", band)
    require_count("context", context, at_least=1)
    rows, columns = costs.shape
    sums, counts = np.zeros_like(costs), np.zeros_like(costs)
    for ahead in range(min(context, rows, columns)):
        sums[: rows - ahead, : columns - ahead] += costs[ahead:, ahead:]
        counts[: rows - ahead, : columns - ahead] += 1.0
    i, j = np.ogrid[:rows, :columns]
    allowed = abs((2 * i + 1) * columns - (2 * j + 1) * rows) < rows + columns + 2 * band * min(rows, columns)
    return _sinkhorn(costs, sums / counts, allowed, regularisation, iterations)


def _sinkhorn(
    costs: Float, compared: Float, allowed: NDArray[np.bool_], regularisation: float, iterations: int
) -> Alignment:
    """Return the plan for costs that are compared, with nothing where it is not allowed."""
    require_positive("regularisation", regularisation)
    require_count("iterations", iterations, at_least=1)
    scale = regularisation * compared.mean()
    kernel = np.where(allowed, -compared / scale if scale > 0 else 0.0, -np.inf)
    rows, columns = costs.shape
    right: Float = np.zeros(columns)
    for _ in range(iterations):
        left = -np.log(rows) - _log_sum_exp(kernel + right, axis=1)
        right = -np.log(columns) - _log_sum_exp(kernel + left[:, None], axis=0)
        plan = np.exp(kernel + left[:, None] + right)
        missed = abs(plan.sum(axis=1) - 1.0 / rows).sum()
        if missed < TOLERANCE:
            break
    else:
        warnings.warn(
            f"Sinkhorn's plan has {missed:.1g} of its mass in a wrong row after {iterations} iterations; raise "
            "`regularisation` or `iterations`.",
            stacklevel=4,
        )
    return Alignment(costs=costs, weights=plan, total=float((plan * costs).sum()))


def _log_sum_exp(values: Float, axis: int) -> Float:
    most = values.max(axis=axis, keepdims=True)
    logs: Float = np.log(np.exp(values - most).sum(axis=axis)) + most.squeeze(axis)
    return logs
