"""Small decision processes whose values are exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers import Transitions

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Process:
    """States ``0 .. S - 1``, of which the last is terminal; observations are one-hot, actions are ``[index]``."""

    law: Array
    """``p(s' | s, a)`` as ``(S - 1, A, S)``."""

    rewards: Array
    """As ``(S - 1, A)``."""

    gamma: float

    @classmethod
    def random(
        cls, generator: np.random.Generator, *, states: int = 5, actions: int = 3, gamma: float = 0.9
    ) -> Process:
        return cls(
            law=generator.dirichlet(np.full(states, 0.5), (states - 1, actions)),
            rewards=generator.standard_normal((states - 1, actions)),
            gamma=gamma,
        )

    def solve(self, rewards: Array | None = None) -> Array:
        """Return Q, as ``(S - 1, A)``, for rewards of transitions as ``(S - 1, A, S)``, or the process's own."""
        expected = self.rewards if rewards is None else (self.law * rewards).sum(axis=-1)
        q = np.zeros_like(expected)
        for _ in range(250):
            q = expected + self.gamma * self.law @ np.append(q.max(axis=-1), 0.0)
        return q

    def transitions(self) -> Transitions:
        """Return every (s, a, s'), in the order of ``law``, with the process's own rewards."""
        states, actions, following = (part.ravel() for part in np.indices(self.law.shape))
        count = self.law.shape[-1]
        return Transitions(
            observation=np.eye(count)[states],
            action=actions[:, None].astype(np.float64),
            reward=self.rewards[states, actions],
            next_observation=np.eye(count)[following],
            terminated=following == count - 1,
            domain=np.ones(len(states), dtype=np.int64),
        )

    def with_added(self, added: Callable[[Transitions], Array]) -> Array:
        """Return rewards as ``(S - 1, A, S)``, with what is added to them."""
        batch = self.transitions()
        return (batch.reward + added(batch)).reshape(self.law.shape)


@dataclass(frozen=True, kw_only=True)
class ExactValues:
    """Values of a process; members disagree by ``doubt`` of each state, as ``(S,)``, and their mean is exact.

    At the terminal state V is a number that must not count.
    """

    q: Array
    doubt: Array

    def action_values(self, observation: Array, action: Array) -> Array:
        states, actions = observation.argmax(axis=1), action[:, 0].astype(int)
        table = np.vstack([self.q, np.full((1, self.q.shape[1]), 77.0)])
        return self._members(table[states, actions], states)

    def state_values(self, observation: Array) -> Array:
        states = observation.argmax(axis=1)
        return self._members(np.append(self.q.max(axis=1), 77.0)[states], states)

    def _members(self, values: Array, states: NDArray[np.int64]) -> Array:
        return np.stack([values + self.doubt[states], values - self.doubt[states]])
