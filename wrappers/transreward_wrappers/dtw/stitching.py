"""Episodes from transitions, whichever lane of whichever environment they come from."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from transreward_wrappers.compensation import Float, Transitions
from transreward_wrappers.datasets import Episode

PATIENCE = 1_000
"""Transitions after which an episode that none of them has continued is over."""


@dataclass(slots=True)
class _Begun:
    """An episode under way."""

    observations: list[Float] = field(default_factory=list)
    actions: list[Float] = field(default_factory=list)
    seen: int = 0
    """How many transitions there had been when it was last continued."""


class Stitcher:
    """Keeps the newest episodes that transitions make up: one continues where another has ended.

    Args:
        capacity: Steps that are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity, self._steps, self._added = capacity, 0, 0
        self._begun: dict[bytes, _Begun] = {}
        self._done: list[tuple[int, Episode]] = []  # with the number of transitions at its last, the oldest first

    def add(self, batch: Transitions, actions: Float) -> None:
        """Take in transitions.

        Args:
            batch: The transitions, one of each lane.
            actions: Theirs in ``[-1, 1]``, as ``(B, action_size)``.
        """
        self._added += len(batch)
        continued: dict[bytes, _Begun] = {}
        for index in range(len(batch)):
            first, last = batch.observation[index], batch.next_observation[index]
            episode = self._begun.pop(first.tobytes(), None) or _Begun(observations=[first.copy()])
            episode.observations.append(last.copy())
            episode.actions.append(actions[index])
            episode.seen = self._added
            if batch.terminated[index]:
                self._end(episode, terminated=True)
            else:
                continued[last.tobytes()] = episode
        self._begun |= continued
        self._end_old()

    def episodes(self) -> list[Episode]:
        """Return the episodes that are over, the oldest first; those that nothing has continued of late are."""
        return [episode for _, episode in self._done]

    def all_episodes(self) -> list[Episode]:
        """Return the episodes that are over, and those under way as if they were."""
        return [*self.episodes(), *(_episode(begun, terminated=False) for begun in self._begun.values())]

    def recent(self, steps: int) -> Float:
        """Return the observations that the newest steps of episodes that are over led to, as ``(steps, D)`` at most."""
        found: list[Float] = []
        for episode in reversed(self.episodes()):
            found.append(episode.observations[1:])
            if sum(map(len, found)) >= steps:
                break
        return np.concatenate(found)[:steps] if found else np.zeros((0, 0))

    def restore(self, episodes: Iterable[Episode]) -> None:
        """Put back what :meth:`all_episodes` returned; none of them goes on."""
        self._done, self._begun, self._added = [(0, episode) for episode in episodes], {}, 0
        self._steps = sum(map(len, self.episodes()))

    def _end_old(self) -> None:
        """End the episodes that nothing has continued of late: the first, since one that goes on is put last."""
        while self._begun and next(iter(self._begun.values())).seen <= self._added - PATIENCE:
            self._end(self._begun.pop(next(iter(self._begun))), terminated=False)

    def _end(self, begun: _Begun, *, terminated: bool) -> None:
        insort(self._done, (begun.seen, _episode(begun, terminated=terminated)), key=lambda one: one[0])
        self._steps += len(begun.actions)
        while len(self._done) > 1 and self._steps - len(self._done[0][1]) >= self._capacity:
            self._steps -= len(self._done.pop(0)[1])


def _episode(begun: _Begun, *, terminated: bool) -> Episode:
    """Return what there is of an episode, without rewards."""
    return Episode(
        observations=np.array(begun.observations),
        actions=np.array(begun.actions),
        rewards=np.zeros(len(begun.actions)),
        terminated=terminated,
    )
