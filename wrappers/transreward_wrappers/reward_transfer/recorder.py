"""Keeps the transitions of rollouts in one environment."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_envs.failures import FAILED
from transreward_wrappers.compensation import Env, Transitions

Array = NDArray[np.float64]
Policy = Callable[[Array], NDArray[Any]]


class Recorder:
    """Keeps transitions up to a stated number, with a progress bar; a context manager.

    Args:
        env: The domain, with a time limit.
        budget: Transitions in all.
        seed: Of the domain.
    """

    def __init__(self, env: Env, *, budget: int, seed: int) -> None:
        self.env, self._budget = env, budget
        self._rows: list[tuple[Array, Array, float, Array, bool]] = []
        env.reset(seed=seed)

    def __enter__(self) -> Self:
        self._bar = tqdm(total=self._budget, desc="collecting source transitions", leave=False, disable=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether there are as many transitions as were asked for."""
        return len(self._rows) >= self._budget

    def rollout(self, policy: Policy, *, horizon: int | None = None, until: int | None = None) -> float:
        """Run an episode, and return its return.

        Args:
            policy: From an observation to an action.
            horizon: Steps after which it is cut off, if it goes on for so long.
            until: Transitions in all at which it is cut off; those of the budget when left out.
        """
        observation, _ = self.env.reset()
        total, steps, over = 0.0, 0, False
        while not (over or steps == horizon or len(self._rows) >= (self._budget if until is None else until)):
            action = policy(observation).astype(np.float32)
            following, reward, terminated, truncated, info = self.env.step(action)
            if FAILED in info:  # what follows is of no transition
                break
            total, steps, over = total + float(reward), steps + 1, terminated or truncated
            self._rows.append((observation, action.astype(np.float64), float(reward), following, terminated))
            self._bar.update()
            observation = following
        return total

    def observations(self) -> Array:
        """Return the states, as ``(N, observation_size)``."""
        return np.array([row[0] for row in self._rows])

    def transitions(self) -> Transitions:
        """Return the transitions, in the order in which they were made."""
        observation, action, reward, following, terminated = zip(*self._rows, strict=True)
        return Transitions(
            observation=np.array(observation),
            action=np.array(action),
            reward=np.array(reward),
            next_observation=np.array(following),
            terminated=np.array(terminated),
            domain=np.zeros(len(self._rows), dtype=np.int64),
        )
