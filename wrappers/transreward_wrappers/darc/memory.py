"""Transitions of both domains: nine blocks of ten to learn from, the tenth to be judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_wrappers.storage import Tensors
from transreward_wrappers.store import RowStore

Rows = NDArray[np.float32]
DOMAINS = ("source", "target")
BLOCK = 500
"""Transitions in a row that are of one kind: neighbours of what is learned from would judge too kindly."""

HELD_OUT = 10
"""One block of this many is held out, the last one first."""


class Memory:
    """Keeps the newest transitions of each domain.

    Args:
        capacity: Transitions of each domain to learn from; a ninth as many are held out.
        width: Features of a transition.
        directory: Folder of files that several processes map; in memory when ``None``.
    """

    def __init__(self, capacity: int, width: int, directory: Path | None = None) -> None:
        self.capacity, self.width = capacity, width
        sizes = {"learned": capacity, "held-out": max(capacity // (HELD_OUT - 1), 1)}
        self._stores = {
            f"{kind}-{domain}": RowStore(size, width, directory and directory / f"{kind}-{domain}.f32")
            for kind, size in sizes.items()
            for domain in DOMAINS
        }

    def add(self, domain: int, rows: Rows) -> None:
        """Add transitions of a domain, as ``(B, width)``."""
        learned, held_out = (self._stores[f"{kind}-{DOMAINS[domain]}"] for kind in ("learned", "held-out"))
        index = learned.added + held_out.added + np.arange(len(rows))
        kept_out = index // BLOCK % HELD_OUT == HELD_OUT - 1
        learned.add(rows[~kept_out])
        held_out.add(rows[kept_out])

    @property
    def room(self) -> int:
        """Return how many transitions of a domain there is room for, those that are held out included."""
        rounds, rest = divmod(self.capacity, BLOCK * (HELD_OUT - 1))
        return rounds * BLOCK * HELD_OUT + rest

    def seen(self, domain: int) -> int:
        """Return how many transitions of a domain were added."""
        return sum(self._stores[f"{kind}-{DOMAINS[domain]}"].added for kind in ("learned", "held-out"))

    def ready(self, count: int) -> bool:
        """Whether so many transitions of each domain are there to learn from."""
        return min(len(self._stores[f"learned-{domain}"]) for domain in DOMAINS) >= count

    def sample(self, count: int, generator: torch.Generator, *, batches: int) -> Rows:
        """Return batches of ``count`` transitions of each domain, as ``(batches, 2 count, width)``, source first."""
        drawn = [self._stores[f"learned-{domain}"].sample(batches * count, generator) for domain in DOMAINS]
        return np.concatenate([rows.reshape(batches, count, -1) for rows in drawn], axis=1)

    def held_out(self, count: int) -> tuple[Rows, Rows]:
        """Return the newest transitions of source and target that nothing was learned from, ``count`` each at most."""
        source, target = (self._stores[f"held-out-{domain}"].newest(count) for domain in DOMAINS)
        return source, target

    def tensors(self) -> Tensors:
        """Return all transitions, the oldest first."""
        return {name: torch.from_numpy(store.newest(len(store))) for name, store in self._stores.items()}

    def load_tensors(self, tensors: Tensors, counts: dict[str, int]) -> None:
        """Put back what :meth:`tensors` and :meth:`counts` returned."""
        for name, store in self._stores.items():
            store.restore(tensors[name].numpy(), counts[name])

    def counts(self) -> dict[str, int]:
        """Return how many transitions were ever added, by where they went."""
        return {name: store.added for name, store in self._stores.items()}

    def count(self, counts: dict[str, int]) -> None:
        """Set what :meth:`counts` returned: rows that other processes wrote are then known here too."""
        for name, store in self._stores.items():
            store.added = counts[name]
