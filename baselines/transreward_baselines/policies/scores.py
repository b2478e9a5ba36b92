"""What a policy is worth in a domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

import transreward_envs
from transreward_baselines.evaluation import EVALUATION_SEED, episode_returns
from transreward_baselines.lanes import make_lanes, sizes_of
from transreward_envs.pairs.domains import find_domain
from transreward_wrappers.policies import GaussianPolicy, UniformPolicy, scale_actions

EPISODES = 100
ROUGH_EPISODES = 10
FINAL_SEED = EVALUATION_SEED + 1_000_000
"""Of the episodes that a published score is of: none of those that the policy was chosen by."""

RESAMPLES = 2_000

Policy = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Mean return of a policy, with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    episodes: int

    def to_json(self) -> dict[str, float | int]:
        """Return it as JSON types."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def spec_of(domain: str) -> EnvSpec:
    """Return the spec of a domain by its name.

    Raises:
        ValueError: There is no such domain.
    """
    gym.register_envs(transreward_envs)
    found = find_domain(domain)
    return gym.spec(f"TransReward/{domain}-v0") if found is None else found[0].spec(found[1])


def score(policy: Policy, spec: EnvSpec, *, episodes: int = EPISODES, seed: int = FINAL_SEED) -> Score:
    """Return the score of a policy that gives actions in ``[-1, 1]``."""
    envs = make_lanes(spec, episodes, threads=1)
    space: Any = envs.single_action_space
    returns = episode_returns(lambda observations: scale_actions(policy(observations), space), envs, seed)
    generator = np.random.default_rng(0)
    means = returns[generator.integers(episodes, size=(RESAMPLES, episodes))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Score(mean=float(returns.mean()), low=float(low), high=float(high), episodes=episodes)


def score_drawn(policy: GaussianPolicy, spec: EnvSpec, *, episodes: int, seed: int) -> Score:
    """Return the score of a policy whose actions are drawn, as in datasets."""
    generator = np.random.default_rng(seed)
    return score(lambda observations: policy.sample(observations, generator)[0], spec, episodes=episodes, seed=seed)


def score_random(spec: EnvSpec) -> Score:
    """Return the score of actions drawn uniformly."""
    policy, generator = UniformPolicy(action_size=sizes_of(spec)[1]), np.random.default_rng(0)
    return score(lambda observations: policy.sample(observations, generator)[0], spec)
