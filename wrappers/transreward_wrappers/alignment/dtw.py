"""Dynamic time warping: the cheapest path that never goes back (Sakoe and Chiba, 1978)."""

from __future__ import annotations

from transreward_wrappers.alignment.alignment import Alignment, along
from transreward_wrappers.alignment.band import widened, within
from transreward_wrappers.alignment.recursion import accumulate, lowest, trace
from transreward_wrappers.compensation import Float


def dtw(costs: Float, *, band: int | None = None, open_end: bool = False) -> Alignment:
    """Return the path from the first cell to the last that costs least in sum.

    Args:
        costs: As ``(T, T_ref)``.
        band: Allows cells with ``|i - j| <= band`` alone.
        open_end: Lets the path end at any step of the reference; of equal ones, at the nearest to the diagonal.

    Raises:
        TypeError: ``band`` is not an integer.
        ValueError: It is below 0.
    """
    steps, reference_steps = costs.shape
    table = accumulate(within(costs, widened(band, steps, reference_steps, open_end=open_end)))
    end = lowest(table[-1, 1:], steps - 1) if open_end else reference_steps - 1
    return along(trace(table, end), costs, float(table[-1, end + 1]))
