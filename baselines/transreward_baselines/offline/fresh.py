"""Transitions that each run meets itself, kept behind the data that it began with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from transreward_baselines.offline.streams import Streams

FIELDS = ("observations", "actions", "rewards", "next_observations", "terminated", "truncated")
"""Of transitions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Fresh transitions for a batch."""

    places: torch.Tensor
    """Which of the batch they take, as ``(n,)``."""

    where: torch.Tensor
    """Their positions in all data, as ``(R, n)``."""


class Fresh:
    """Rooms of equal size for R runs in the arrays of all data, filled side by side.

    Args:
        arrays: Of all data, by field; the rooms are within.
        first: Where each run's room begins, as ``(R, 1)``.
        share: Of fresh transitions in a batch.
    """

    def __init__(self, arrays: Mapping[str, torch.Tensor], first: torch.Tensor, share: float) -> None:
        self._arrays, self._first, self._share = arrays, first, share
        self.count = self.shown = 0
        """Transitions of each run that there are, and of these the ones that are drawn."""

    def add(self, transitions: Mapping[str, torch.Tensor]) -> None:
        """Keep one transition of each run, by field, ``(R, ...)`` each."""
        for field, values in transitions.items():
            self._arrays[field][self._first[:, 0] + self.count] = values
        self.count += 1

    def show(self) -> None:
        """Have all be drawn that there are."""
        self.shown = self.count

    def newest(self) -> torch.Tensor:
        """Return where the newest of those that are drawn are, ``(R,)``; of none, ``(0,)``."""
        return self._first[:, 0] + self.shown - 1 if self.shown else self._first[:0, 0]

    def cut(self) -> None:
        """End the episodes that are under way."""
        newest = self._first[:, 0] + self.count - 1
        self._arrays["truncated"][newest] = 1.0 - self._arrays["terminated"][newest]

    def draw(self, streams: Streams, count: int, name: str) -> Chosen:
        """Return those of a batch of ``count``, never more than there are."""
        wanted = round(self._share * count)
        drawn = streams.uniform(f"fresh {name}", wanted).double()
        places = torch.linspace(0, count - 1, wanted, device=drawn.device).round().long()
        where = self._first + (drawn * self.shown).long()
        most = min(wanted, self.shown)
        return Chosen(places=places[:most], where=where[:, :most])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that there are, by field, ``(R, count, ...)`` each."""
        where = self._first + torch.arange(self.count, device=self._first.device)
        return {field: self._arrays[field][where] for field in FIELDS}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what :meth:`tensors` returned."""
        self.count = tensors["rewards"].shape[1]
        where = self._first + torch.arange(self.count, device=self._first.device)
        for field in FIELDS:
            self._arrays[field][where] = tensors[field].to(where.device)
        self.show()
