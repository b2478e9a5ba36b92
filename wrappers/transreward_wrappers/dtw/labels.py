"""What target observations are worth: the source's rewards, carried over the best alignment with a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.alignment import MethodName, Reference, align, dtw_distance, transport
from transreward_wrappers.compensation import Float
from transreward_wrappers.datasets import Episode

ToSource = Callable[[Float], Float]
"""From the target's observations to the source's, ``(..., D)`` each."""


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

    tau: float
    """Cost at which the gate pays 1/e."""

    def __call__(self, observations: Float, references: Sequence[Reference]) -> Labels:
        """Return what a sequence, as ``(T, observation_size)``, is worth by the reference that it is nearest to."""
        mapped = self.to_source(observations)
        if self.method == "dtw":  # an episode may stop short of the reference
            totals = [dtw_distance(mapped / one.scale, one.normalised, open_end=True) for one in references]
            nearest = references[int(np.argmin(totals))]
            found = align(nearest.costs(mapped), "dtw", open_end=True)
        else:
            several = [align(one.costs(mapped), self.method) for one in references]
            index = int(np.argmin([one.total for one in several]))
            nearest, found = references[index], several[index]
        return Labels(observations=observations, rewards=transport(found, nearest.rewards, tau=self.tau))

    def of_episodes(self, episodes: Iterable[Episode], references: Sequence[Reference]) -> list[Labels]:
        """Return what episodes are worth; the observation that each began with is paid to nobody."""
        several = list(episodes)
        bar = tqdm(several, desc="aligning episodes", leave=False, disable=None)
        return [self(episode.observations[1:], references) for episode in bar]


def identity(observations: NDArray[np.float64]) -> Float:
    """Return observations as they are, where both robots are one."""
    return observations
