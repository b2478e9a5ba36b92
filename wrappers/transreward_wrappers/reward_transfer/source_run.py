"""A short run in the source: data from random actions up to those of a policy that is learning.

The policy is linear and learns by augmented random search (Mania et al., 2018, arXiv:1803.07055), which needs nothing
but returns and takes seconds where gradient methods take minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.compensation import Transitions

Env = gym.Env[Any, Any]
Array = NDArray[np.float64]
Policy = Callable[[Array], Array]

DIRECTIONS = 8
BEST_DIRECTIONS = 4
NOISE = 0.05
STEP_SIZE = 0.03


class SourceRun:
    """Collects a stated number of source transitions: one part random actions, the rest by random search.

    Args:
        source: The source domain, with a time limit.
        budget: Transitions in all.
        random_share: Share of them from uniformly random actions.
        horizon: Steps after which the search cuts a rollout off.
        seed: Of everything drawn.
    """

    def __init__(self, source: Env, *, budget: int, random_share: float, horizon: int, seed: int) -> None:
        assert isinstance(source.action_space, gym.spaces.Box)
        self._env, self._budget, self._horizon = source, budget, horizon
        self._random_budget = max(int(budget * random_share), 1)  # the search starts from their statistics
        self._low, self._high = source.action_space.low, source.action_space.high
        self._generator = np.random.default_rng(seed)
        self._seed = seed
        self._rows: list[tuple[Array, Array, float, Array, bool]] = []
        self._mean, self._spread = 0.0, 1.0

    def collect(self) -> Transitions:
        """Return the transitions, in the order in which they were made."""
        self._env.reset(seed=self._seed)
        with tqdm(total=self._budget, desc="collecting source transitions", leave=False, disable=None) as self._bar:
            while len(self._rows) < self._random_budget:
                self._rollout(lambda _: self._generator.uniform(self._low, self._high), self._random_budget)
            self._search()
        columns = list(zip(*self._rows, strict=True))
        return Transitions(
            observation=np.array(columns[0]),
            action=np.array(columns[1]),
            reward=np.array(columns[2]),
            next_observation=np.array(columns[3]),
            terminated=np.array(columns[4]),
            domain=np.zeros(len(self._rows), dtype=np.int64),
        )

    def _search(self) -> None:
        """Improve a linear policy until the budget is spent."""
        observations = np.array([row[0] for row in self._rows])
        self._mean, self._spread = observations.mean(axis=0), observations.std(axis=0) + 1e-2
        weights = np.zeros((len(self._low), observations.shape[1]))
        while len(self._rows) < self._budget:
            directions = self._generator.standard_normal((DIRECTIONS, *weights.shape))
            signed = np.stack([directions, -directions], axis=1)
            returns = np.array([[self._evaluate(weights + NOISE * one) for one in pair] for pair in signed])
            best = np.argsort(returns.max(axis=1))[-BEST_DIRECTIONS:]
            scale = returns[best].std() + 1e-6
            gain = ((returns[best, 0] - returns[best, 1])[:, None, None] * directions[best]).mean(axis=0)
            weights = weights + STEP_SIZE / scale * gain

    def _evaluate(self, weights: Array) -> float:
        """Return the return of a linear policy over one rollout."""

        def policy(observation: Array) -> Array:
            normalised = (observation - self._mean) / self._spread
            return np.clip(weights @ normalised, self._low, self._high)

        return self._rollout(policy, self._budget)

    def _rollout(self, policy: Policy, budget: int) -> float:
        """Run an episode up to the horizon, keep its transitions while ``budget`` lasts, and return its return."""
        observation, _ = self._env.reset()
        total = 0.0
        for _ in range(self._horizon):
            action = policy(observation).astype(np.float32)
            following, reward, terminated, truncated, _ = self._env.step(action)
            total += float(reward)
            if len(self._rows) < budget:
                self._rows.append((observation, action.astype(np.float64), float(reward), following, terminated))
                self._bar.update()
            observation = following
            if terminated or truncated or len(self._rows) >= budget:
                break
        return total
