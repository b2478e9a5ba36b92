"""Returns and lengths of the episodes under way in lanes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


class EpisodeSums:
    """Adds up what each lane earns from an episode's start to its end.

    Args:
        lanes: Number of lanes.
    """

    def __init__(self, lanes: int) -> None:
        self._returns = np.zeros(lanes)
        self._lengths = np.zeros(lanes, dtype=np.int64)
        self._begun = np.full(lanes, time.perf_counter())

    def start(self, lanes: Bools | int) -> None:
        """Start anew in one lane, or in those of a mask."""
        self._returns[lanes], self._lengths[lanes], self._begun[lanes] = 0.0, 0, time.perf_counter()

    def add(self, rewards: NDArray[np.float64], stepping: Bools) -> None:
        """Add the rewards of the lanes that took a step, as ``(lanes,)``."""
        self._returns += np.where(stepping, rewards, 0.0)
        self._lengths += stepping

    def tell(self, infos: dict[str, Any], key: str, done: Bools) -> None:
        """Put return ``r``, length ``l`` and time ``t`` [s] of the lanes that are done into ``infos``."""
        if not done.any():
            return
        elapsed = np.round(time.perf_counter() - self._begun, 6)
        told: dict[str, Any] = {}
        for name, values in {"r": self._returns, "l": self._lengths, "t": elapsed}.items():
            told[name], told[f"_{name}"] = np.where(done, values, 0), done.copy()
        infos[key], infos[f"_{key}"] = told, done.copy()
