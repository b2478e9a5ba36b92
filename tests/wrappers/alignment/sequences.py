"""Sequences and cost matrices as Hypothesis strategies, and plain loops that say what is right."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from transreward_wrappers.alignment import Reference
from transreward_wrappers.alignment.sequences import squared_distances

values = st.one_of(st.floats(-5.0, 5.0), st.integers(-2, 2).map(float))
"""Numbers of all kinds, and few whole ones, which tie."""

FEATURES = 2


def arrays(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, shape, elements=values)


def sequences(*, least: int = 1, most: int = 9) -> st.SearchStrategy[np.ndarray]:
    return st.integers(least, most).flatmap(lambda steps: arrays(steps, FEATURES))


def costs(*, most: int = 8) -> st.SearchStrategy[np.ndarray]:
    return st.builds(squared_distances, sequences(most=most), sequences(most=most))


def references(*, most: int = 9) -> st.SearchStrategy[Reference]:
    def build(steps: int) -> st.SearchStrategy[Reference]:
        scale = st.lists(st.floats(0.5, 2.0), min_size=FEATURES, max_size=FEATURES)
        return st.builds(Reference, observations=arrays(steps, FEATURES), rewards=arrays(steps), scale=scale)

    return st.integers(2, most).flatmap(build)


def looped(matrix: np.ndarray, *, band: int | None = None) -> np.ndarray:
    """Return the accumulated costs, cell by cell."""
    table = np.full(matrix.shape, np.inf)
    for i, j in product(*map(range, matrix.shape)):
        if band is None or abs(i - j) <= band:
            before = [table[a, b] for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if min(a, b) >= 0]
            table[i, j] = matrix[i, j] + min(before, default=0.0)
    return table


def all_paths(steps: int, reference_steps: int) -> list[list[tuple[int, int]]]:
    """Return every monotone and contiguous path from the first cell to the last."""
    if steps == reference_steps == 1:
        return [[(0, 0)]]
    found = []
    for back in ((1, 1), (1, 0), (0, 1)):
        if steps > back[0] and reference_steps > back[1]:
            shorter = all_paths(steps - back[0], reference_steps - back[1])
            found += [[*path, (steps - 1, reference_steps - 1)] for path in shorter]
    return found
