"""A reference: what a source did and was paid, to be followed in the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from transreward_wrappers.alignment.sequences import require_finite_array, require_sequence, squared_distances
from transreward_wrappers.compensation import Float
from transreward_wrappers.datasets.episode import Episode


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reference:
    """``T`` observations of a source in a row, each with the reward that was paid on arrival there.

    Costs are squared Euclidean distances of observations that are divided by ``scale``: one standard deviation off in
    one feature costs 1.

    Raises:
        ValueError: There are fewer than two steps, shapes do not fit together, or a value is not finite.
    """

    observations: Float
    """As ``(T, D)``."""

    rewards: Float
    """As ``(T,)``."""

    scale: Float = field(default_factory=lambda: np.empty(0))
    """What observations are divided by, as ``(D,)``; when left out, the standard deviation of each feature in the
    reference, and 1 for one that does not vary."""

    floor: float = 0.0
    """What a gate pays from, so that nothing it forgives is below 0: lowered to the least reward, if that is below. A
    piece has the whole's, because one step must be worth the same in all pieces."""

    normalised: Float = field(init=False)
    """The observations divided by ``scale``, as ``(T, D)``."""

    def __post_init__(self) -> None:
        observations = require_sequence("observations", self.observations, at_least=2).copy()
        rewards, scale = np.array(self.rewards, dtype=np.float64), np.array(self.scale, dtype=np.float64)
        if rewards.shape != (len(observations),):
            raise ValueError(
                f"`rewards` must have the shape ({len(observations)},), one for each observation; got {rewards.shape}."
            )
        require_finite_array("rewards", rewards)
        if not scale.size:
            spread, size = observations.std(axis=0), abs(observations).max(axis=0)
            scale = np.where(spread > 1e-8 * size, spread, 1.0)
        if scale.shape != observations.shape[1:] or not (np.isfinite(scale).all() and (scale > 0).all()):
            raise ValueError(
                f"`scale` must be {observations.shape[1]} numbers, one for each feature, finite and > 0; got {scale}."
            )
        if not np.isfinite(self.floor):
            raise ValueError(f"`floor` must be a finite number; got {self.floor}.")
        object.__setattr__(self, "floor", min(float(self.floor), float(rewards.min())))
        values = {"observations": observations, "rewards": rewards, "scale": scale, "normalised": observations / scale}
        for name, value in values.items():
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @classmethod
    def from_episode(cls, episode: Episode) -> Reference:
        """Return an episode as a reference: the observation that it began with has no reward and is left out."""
        return cls(observations=episode.observations[1:], rewards=episode.rewards)

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def size(self) -> int:
        """D, the number of features."""
        return len(self.scale)

    def part(self, start: int, stop: int) -> Reference:
        """Return the steps from ``start`` up to ``stop``, with the scale and the floor of the whole."""
        return replace(self, observations=self.observations[start:stop], rewards=self.rewards[start:stop])

    def costs(self, observations: ArrayLike) -> Float:
        """Return what it costs that target step i goes with reference step j, as ``(T_target, T)``.

        Args:
            observations: Of the target, as ``(T_target, D)``.

        Raises:
            ValueError: They are of other features, or not finite.
        """
        target = require_sequence("observations", observations, width=self.size)
        return squared_distances(target / self.scale, self.normalised)


def on_one_floor(references: Sequence[Reference]) -> list[Reference]:
    """Return references with the lowest of their floors, so that what one pays may be compared with another's."""
    floor = min((reference.floor for reference in references), default=0.0)
    return [replace(one, floor=floor) for one in references]
