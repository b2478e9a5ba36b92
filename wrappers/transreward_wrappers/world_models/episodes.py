"""Episodes of one domain in memory, each of a kind, such as ``random`` or ``own``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from transreward_envs.errors import require_count
from transreward_wrappers.datasets import Episode
from transreward_wrappers.world_models.windows import Stretches

HELD_OUT = 10
"""Every so many-th episode of a kind is held out; of fewer, the last one in so many steps of each."""

TOLERANCE = 1e-3
"""By how much actions may lie beyond [-1, 1], because of rounding."""


class EpisodeStore:
    """Keeps episodes, and parts them into those to fit to and those to judge by.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
    """

    def __init__(self, observation_size: int, action_size: int) -> None:
        require_count("observation_size", observation_size, at_least=1)
        require_count("action_size", action_size, at_least=1)
        self.observation_size, self.action_size = observation_size, action_size
        self._episodes: dict[str, list[Episode]] = {}

    def __len__(self) -> int:
        return sum(len(episode) for episodes in self._episodes.values() for episode in episodes)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of episodes, in the order in which they came."""
        return tuple(self._episodes)

    def add(self, episodes: Episode | Iterable[Episode], *, kind: str = "own") -> None:
        """Add an episode, or several.

        Args:
            episodes: With actions in ``[-1, 1]``, clipped by rounding at most; rewards may be NaN where there are none.
            kind: Who acted; what is held out is told apart by it.

        Raises:
            ValueError: One is of other sizes, not finite, or its actions lie outside ``[-1, 1]``.
        """
        several = [episodes] if isinstance(episodes, Episode) else list(episodes)
        for episode in several:
            self._require_fitting(episode)
        if several:
            self._episodes.setdefault(kind, []).extend(several)

    def split(self) -> tuple[Stretches, dict[str, Stretches]]:
        """Return the episodes to fit to, and of each kind those to judge by, held out from the first.

        Every tenth episode of a kind is held out; where there are fewer than ten, the last tenth of each.

        Raises:
            ValueError: There are too few steps to do without any.
        """
        kept: list[Episode] = []
        held: dict[str, list[Episode]] = {}
        for kind, episodes in self._episodes.items():
            mine, others = _part(episodes)
            kept += mine
            if others:
                held[kind] = others
        if not kept or not held:
            raise ValueError(
                f"A world model needs steps to fit to and others to judge by, {HELD_OUT} in an episode at least, or "
                f"{HELD_OUT} episodes of a kind; got {len(self)} steps in "
                f"{sum(map(len, self._episodes.values()))} episodes. Collect more."
            )
        return Stretches(kept), {kind: Stretches(episodes) for kind, episodes in held.items()}

    def digest(self) -> str:
        """Return what tells these episodes from all others."""
        digest = hashlib.sha256()
        for kind, episodes in self._episodes.items():
            for episode in episodes:
                digest.update(f"{kind}{len(episode)}{episode.terminated}".encode())
                for values in (episode.observations, episode.actions, episode.rewards):
                    digest.update(np.ascontiguousarray(values, dtype=np.float32).tobytes())
        return digest.hexdigest()

    def _require_fitting(self, episode: Episode) -> None:
        sizes = (self.observation_size, self.action_size)
        shapes = (episode.observations.shape, episode.actions.shape)
        if shapes != ((len(episode) + 1, sizes[0]), (len(episode), sizes[1])):
            raise ValueError(
                f"The episodes of a store have observations of {sizes[0]} and actions of {sizes[1]} numbers; got "
                f"arrays of {shapes[0]} and {shapes[1]}. Keep the episodes of another domain in another store."
            )
        if not (np.isfinite(episode.observations).all() and np.isfinite(episode.actions).all()):
            raise ValueError("Observations and actions must be finite; some of this episode's are NaN or infinite.")
        if (most := float(np.abs(episode.actions).max())) > 1.0 + TOLERANCE:
            raise ValueError(
                f"The actions of a world model's data must lie in [-1, 1]; got {most:.3g}. Scale them: "
                "transreward_wrappers.policies.unscale_actions(actions, action_space)."
            )


def _part(episodes: list[Episode]) -> tuple[list[Episode], list[Episode]]:
    """Return the episodes of a kind to fit to, and those to judge by."""
    if len(episodes) >= HELD_OUT:
        last = HELD_OUT - 1
        held = [index % HELD_OUT == last for index in range(len(episodes))]
        return (
            [episode for episode, out in zip(episodes, held, strict=True) if not out],
            [episode for episode, out in zip(episodes, held, strict=True) if out],
        )
    cuts = [(episode, len(episode) - len(episode) // HELD_OUT) for episode in episodes]
    kept = [_piece(episode, 0, cut) for episode, cut in cuts]
    return kept, [_piece(episode, cut, len(episode)) for episode, cut in cuts if cut < len(episode)]


def _piece(episode: Episode, start: int, stop: int) -> Episode:
    """Return the steps of an episode from ``start`` up to ``stop``."""
    return Episode(
        observations=episode.observations[start : stop + 1],
        actions=episode.actions[start:stop],
        rewards=episode.rewards[start:stop],
        terminated=episode.terminated and stop == len(episode),
    )
