"""What target observations are worth: the source's rewards, carried over an alignment with a piece of a reference.

Episodes are looked at window by window. A window goes with the piece of a reference that begins where its own first
observation is nearest, so that an agent that is slow, or joins late, is compared with what it does and not with how the
reference began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.alignment import Carry, MethodName, Reference, align, transport
from transreward_wrappers.compensation import Float
from transreward_wrappers.datasets import Episode

ToSource = Callable[[Float], Float]
"""From the target's observations to the source's, ``(..., D)`` each."""

SLACK = 2
"""With an open end, a piece of a reference has so many times the steps that are aligned: the target may be slower."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """Observations of the target, and what each is worth."""

    observations: Float
    """As ``(B, observation_size)``."""

    rewards: Float
    """As ``(B,)``."""

    @classmethod
    def join(cls, parts: Sequence[Labels]) -> Labels:
        """Return several as one."""
        return cls(
            observations=np.concatenate([part.observations for part in parts]),
            rewards=np.concatenate([part.rewards for part in parts]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Labeller:
    """Pays for sequences of target observations."""

    to_source: ToSource
    """Of observations."""

    method: MethodName
    """What aligns."""

    carry: Carry
    """What is kept of the source's rewards."""

    tau: float
    """Cost at which the gate pays 1/e."""

    window: int
    """Steps of an episode that are aligned together."""

    def __call__(self, observations: Float, piece: Reference) -> Labels:
        """Return what a sequence, as ``(T, observation_size)``, is worth beside a piece of a reference."""
        settings = {"open_end": True} if self.method == "dtw" else {}  # a slow one stops short of the piece's end
        found = align(piece.costs(self.to_source(observations)), self.method, **settings)
        paid = transport(found, piece.rewards, carry=self.carry, tau=self.tau, floor=piece.floor)
        return Labels(observations=observations, rewards=paid)

    def of_episodes(self, episodes: Iterable[Episode], references: Sequence[Reference]) -> list[Labels]:
        """Return what episodes are worth; the observation that each began with is paid to nobody."""
        windows = list(self._windows(episodes))
        bar = tqdm(windows, desc="aligning episodes", leave=False, disable=None)
        return [self(window, self.piece(window, references)) for window in bar]

    def piece(self, window: Float, references: Sequence[Reference]) -> Reference:
        """Return the piece that a window goes with: all of a reference for ``min_distance``, which knows no order."""
        nearest = [self._nearest(window, reference) for reference in references]
        index = int(np.argmin([cost for cost, _ in nearest]))
        reference, start = references[index], nearest[index][1]
        if self.method == "min_distance":
            return reference
        steps = len(window) * (SLACK if self.method == "dtw" else 1)
        return reference.part(start, min(start + max(steps, 2), len(reference)))

    def _nearest(self, window: Float, reference: Reference) -> tuple[float, int]:
        """Return the least cost of a window's first observation, and where in a reference it is."""
        room = max(len(reference) - max(len(window), 2), 0) + 1
        costs = reference.costs(self.to_source(window[:1]))[0, :room]
        start = int(costs.argmin())
        return float(costs[start]), start

    def _windows(self, episodes: Iterable[Episode]) -> Iterator[Float]:
        for episode in episodes:
            for start in range(1, len(episode) + 1, self.window):
                yield episode.observations[start : start + self.window]


def identity(observations: NDArray[np.float64]) -> Float:
    """Return observations as they are, where both robots are one."""
    return observations
