"""A pair of small worlds in which every trajectory of the source can be listed with its probability."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.drae import Trajectories

Array = NDArray[np.float64]
Step = tuple[int, int, int, int]
"""Time, state, action and next state."""


@dataclass(frozen=True, kw_only=True)
class Worlds:
    """States ``0 .. S - 1``, of which the last is terminal; the task ends there, and after ``horizon`` steps."""

    source: Array
    """``p_S(s' | s, a)`` as ``(S - 1, A, S)``."""

    target: Array
    """``p_T(s' | s, a)``, likewise."""

    behaviour: Array
    """``mu(a | s)`` as ``(S - 1, A)``."""

    policy: Array
    """``pi(a | s)``, likewise."""

    reward: Array
    """``r(s, a, s')`` as ``(S - 1, A, S)``."""

    gamma: float = 0.9
    horizon: int = 3

    @classmethod
    def random(cls, seed: int, *, looks_ahead: bool, states: int = 4, actions: int = 2) -> Worlds:
        """Return worlds whose reward looks at the next state, or not."""
        generator = np.random.default_rng(seed)
        shape = (states - 1, actions, states)
        reward = generator.standard_normal(shape if looks_ahead else (*shape[:2], 1))
        laws = [generator.dirichlet(np.full(states, 1.0), shape[:2]) for _ in range(2)]
        policies = [generator.dirichlet(np.full(actions, 2.0), states - 1) for _ in range(2)]
        return cls(
            source=laws[0],
            target=laws[1],
            behaviour=policies[0],
            policy=policies[1],
            reward=np.broadcast_to(reward, shape),
        )

    def values(self) -> tuple[Array, Array]:
        """Return the target's V and Q of the policy, as ``(horizon + 1, S)`` and ``(horizon, S - 1, A)``."""
        states, actions = self.reward.shape[2], self.reward.shape[1]
        v, q = np.zeros((self.horizon + 1, states)), np.zeros((self.horizon, states - 1, actions))
        for time in reversed(range(self.horizon)):
            q[time] = (self.target * (self.reward + self.gamma * v[time + 1])).sum(axis=-1)
            v[time, :-1] = (self.policy * q[time]).sum(axis=-1)
        return v, q

    def trajectories(self) -> Iterator[tuple[float, list[Step]]]:
        """Yield every trajectory of the behaviour in the source from state 0, with its probability."""
        open_ones: list[tuple[float, list[Step], int]] = [(1.0, [], 0)]
        while open_ones:
            chance, steps, state = open_ones.pop()
            if len(steps) == self.horizon or state == self.source.shape[2] - 1:
                yield chance, steps
                continue
            for action, likely in enumerate(self.behaviour[state]):
                for following, moved in enumerate(self.source[state, action]):
                    step = (len(steps), state, action, following)
                    open_ones.append((chance * likely * moved, [*steps, step], following))

    def listed(self) -> Listed:
        """Return every trajectory, one after the other."""
        found = list(self.trajectories())
        steps = np.array([step for _, one in found for step in one])
        last = np.cumsum([len(one) for _, one in found]) - 1
        return Listed(worlds=self, chances=np.array([chance for chance, _ in found]), steps=steps, last=last)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Every trajectory, one after the other."""

    worlds: Worlds
    chances: Array
    """Of each trajectory."""

    steps: NDArray[np.int64]
    """Time, state, action and next state of each step, as ``(N, 4)``."""

    last: NDArray[np.int64]
    """Position of each trajectory's last step."""

    def of(self, v: Array) -> Trajectories:
        """Return the trajectories with values as ``(horizon + 1, S)``."""
        time, state, action, following = self.steps.T
        ends = np.zeros(len(self.steps), dtype=bool)
        ends[self.last] = True
        return Trajectories(
            reward=self.worlds.reward[state, action, following],
            value=v[time, state],
            next_value=v[time + 1, following],
            terminated=ends,
            ends=ends,
        )

    def action_values(self, q: Array) -> Array:
        """Return ``Q(s_t, a_t)`` of values as ``(horizon, S - 1, A)``."""
        time, state, action, _ = self.steps.T
        return q[time, state, action]

    def log_dynamics(self) -> Array:
        """Return ``log p_T - log p_S`` of each transition."""
        _, *where = self.steps.T
        return np.log(self.worlds.target[tuple(where)] / self.worlds.source[tuple(where)])

    def log_policies(self) -> Array:
        """Return ``log pi - log mu`` of each action."""
        where = tuple(self.steps.T[1:3])
        return np.log(self.worlds.policy[where] / self.worlds.behaviour[where])

    def shifted(self, values: Array) -> Array:
        """Return what belongs to the step before, and 1 at the first: an index that is off by one."""
        moved = np.roll(values, 1)
        moved[self._first] = 1.0
        return moved

    def expected(self, estimate: Array) -> float:
        """Return the mean of ``G_0``."""
        return float(self.chances @ estimate[self._first])

    @property
    def _first(self) -> NDArray[np.int64]:
        return np.append(0, self.last[:-1] + 1)


def poor(values: Array, seed: int = 1) -> Array:
    """Return values that are wrong, but 0 where there is nothing to come."""
    wrong = values + np.random.default_rng(seed).standard_normal(values.shape)
    if values.ndim == 2:
        wrong[-1], wrong[:, -1] = 0.0, 0.0
    return wrong
