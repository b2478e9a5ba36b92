"""DTW's distance of two sequences, without a path: in C, by dtaidistance, wherever it computes the same."""

from __future__ import annotations

import numpy as np
from dtaidistance import dtw_ndim
from numpy.typing import ArrayLike

from transreward_wrappers.alignment.band import widened, within
from transreward_wrappers.alignment.recursion import accumulate
from transreward_wrappers.alignment.sequences import require_sequence, squared_distances


def dtw_distance(first: ArrayLike, second: ArrayLike, *, band: int | None = None, open_end: bool = False) -> float:
    """Return the total that :func:`~transreward_wrappers.alignment.align` finds by ``dtw``: a sum of squared distances.

    Args:
        first: Normalised observations, as ``(T, D)``.
        second: As ``(T_ref, D)``.
        band: Allows cells with ``|i - j| <= band`` alone.
        open_end: Lets the path end at any step of ``second``.

    Raises:
        TypeError: ``band`` is not an integer.
        ValueError: It is below 0, or sequences are of different features, empty or not finite.
    """
    first = np.array(require_sequence("first", first), order="C")  # its C code takes none that are read-only
    second = np.array(require_sequence("second", second, width=first.shape[1]), order="C")
    band = widened(band, len(first), len(second), open_end=open_end, stacklevel=3)
    if band is not None and (open_end or len(first) != len(second)):  # its window is another band there
        table = accumulate(within(squared_distances(first, second), band))
        return float(table[-1, 1:].min() if open_end else table[-1, -1])
    window = None if band is None else band + 1
    psi = (0, 0, 0, len(second)) if open_end else None
    return float(dtw_ndim.distance_fast(first, second, window=window, psi=psi) ** 2)
