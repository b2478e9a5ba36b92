"""The band around the diagonal that a path may not leave (Sakoe and Chiba, 1978)."""

from __future__ import annotations

import warnings

import numpy as np

from transreward_envs.errors import require_count
from transreward_wrappers.compensation import Float


def widened(
    band: int | None, steps: int, reference_steps: int, *, open_end: bool = False, stacklevel: int = 4
) -> int | None:
    """Return a radius with which there is a path; a smaller one is widened, with a warning.

    Args:
        band: Cells with ``|i - j| <= band`` are allowed; with ``None``, all are.
        steps: T.
        reference_steps: T_ref.
        open_end: Whether a path may end before the reference does.
        stacklevel: Of the warning; by default, of who calls the caller's caller.

    Raises:
        TypeError: ``band`` is not an integer.
        ValueError: It is below 0.
    """
    if band is None:
        return None
    require_count("band", band)
    least = max(0, steps - reference_steps) if open_end else abs(steps - reference_steps)
    if band < least:
        message = f"`band` must be at least {least} for a path through {steps} by {reference_steps} steps; got {band}, "
        warnings.warn(f"{message}which is widened.", stacklevel=stacklevel)
    return max(band, least)


def within(costs: Float, band: int | None) -> Float:
    """Return the costs with infinity outside the band."""
    if band is None:
        return costs
    rows, columns = np.ogrid[: costs.shape[0], : costs.shape[1]]
    return np.where(abs(rows - columns) <= band, costs, np.inf)
