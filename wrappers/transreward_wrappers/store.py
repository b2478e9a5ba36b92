"""A ring of rows, in memory or in a file that several processes map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class RowStore:
    """Keeps the newest ``capacity`` rows.

    Args:
        capacity: Number of rows.
        width: Numbers in a row.
        path: File to map, made if it is missing; in memory when ``None``.
    """

    def __init__(self, capacity: int, width: int, path: Path | None = None) -> None:
        self.added = 0
        self._path = path
        self.rows: NDArray[np.float32]
        if path is None:
            self.rows = np.zeros((capacity, width), dtype=np.float32)
        else:
            if not path.exists():
                path.touch()
            if path.stat().st_size != capacity * width * 4:
                with path.open("r+b") as file:
                    file.truncate(capacity * width * 4)
            self.rows = np.memmap(path, dtype=np.float32, mode="r+", shape=(capacity, width))

    def __getstate__(self) -> dict[str, Any]:
        """Keep the filled rows alone, or the name of the file."""
        rows = None if self._path else self.rows[: len(self)].copy()
        capacity, width = self.rows.shape
        return {"capacity": capacity, "width": width, "added": self.added, "path": self._path, "rows": rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["capacity"], state["width"], state["path"])  # type: ignore[misc]
        self.added = state["added"]
        if state["rows"] is not None:
            self.rows[: len(self)] = state["rows"]

    def __len__(self) -> int:
        return min(self.added, len(self.rows))

    def add(self, rows: NDArray[np.float32]) -> None:
        """Add rows, as ``(B, width)``, over the oldest ones once the store is full."""
        capacity = len(self.rows)
        positions = (self.added + np.arange(len(rows))) % capacity
        self.rows[positions[-capacity:]] = rows[-capacity:]
        self.added += len(rows)

    def restore(self, rows: NDArray[np.float32], added: int) -> None:
        """Put back the newest rows, the oldest first, of a store to which ``added`` were added in all."""
        capacity = len(self.rows)
        rows = rows[-capacity:]
        self.added = added if len(rows) == min(added, capacity) else len(rows)  # a smaller store's are all there is
        self.rows[(self.added - len(rows) + np.arange(len(rows))) % capacity] = rows

    def newest(self, count: int) -> NDArray[np.float32]:
        """Return the newest ``count`` rows, or as many as there are."""
        count = min(count, len(self))
        positions = (self.added - count + np.arange(count)) % len(self.rows)
        return np.asarray(self.rows[positions])

    def sample(self, count: int, generator: torch.Generator) -> NDArray[np.float32]:
        """Return ``count`` rows drawn with replacement, as ``(count, width)``."""
        return np.asarray(self.rows[torch.randint(len(self), (count,), generator=generator).numpy()])
