"""Chooses, among the policies that training went through, those that are shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from transreward_baselines.evaluation import EVALUATION_SEED
from transreward_baselines.policies.between import bisect, shape, wild
from transreward_baselines.policies.scores import EPISODES, FINAL_SEED, Score
from transreward_wrappers.policies import GaussianPolicy

MEDIUM = (1.0 / 3.0, 0.5)
"""A medium policy's share of the way from random to expert."""

ON_A_LINE = (0.37, 0.46)
"""That share of a policy on a line between two, by trial episodes: well inside, because others score otherwise."""

FINALISTS = 3
ATTEMPTS = 6
SNAPSHOTS = 8
NOISES = (1.0, 0.5, 0.25, 0.125)
"""Shares of a policy's deviation that datasets may be drawn with."""

KEPT = 0.9
"""Share of the way from random to a policy's own return that its drawn actions should go."""

TRIAL_EPISODES = 30
TRIAL_SEED = EVALUATION_SEED + 1_000
"""Of the episodes by which finalists are compared."""


class Scorer(Protocol):
    """Scores a policy in a domain."""

    def __call__(self, policy: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        """Return the score of so many episodes, from a seed on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A policy, and about what it returns."""

    policy: GaussianPolicy
    rough: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A policy, and its score."""

    policy: GaussianPolicy
    score: Score


def choose_expert(candidates: Sequence[Candidate], scorer: Scorer) -> Chosen:
    """Return the best of the few that seem best; what it scores is measured by episodes that chose nothing."""
    finalists = sorted(candidates, key=lambda candidate: candidate.rough)[-FINALISTS:]
    best = max(finalists, key=lambda one: scorer(one.policy, episodes=TRIAL_EPISODES, seed=TRIAL_SEED).mean)
    return final(best, scorer)


def choose_medium(candidates: Sequence[Candidate], scorer: Scorer, *, low: float, high: float) -> Chosen | None:
    """Return a policy between a third and a half of the way from random to expert; ``None`` if there is none.

    It is between them on trial episodes; its published score, of others, falls where it falls. Where training stepped
    over that range, the policy is one on the line between the two next to it, and where training began above it, one
    on the line from a network of random weights to the best.

    Args:
        candidates: What to choose from.
        scorer: Scores a policy.
        low: What a random policy returns.
        high: What the expert returns.
    """
    middle = low + float(np.mean(MEDIUM)) * (high - low)
    for candidate in sorted(candidates, key=lambda candidate: abs(candidate.rough - middle))[:ATTEMPTS]:
        reached = scorer(candidate.policy, episodes=TRIAL_EPISODES, seed=TRIAL_SEED).mean
        if MEDIUM[0] <= share(reached, low=low, high=high) <= MEDIUM[1]:
            return final(candidate, scorer)
    better = min((one for one in candidates if one.rough >= middle), key=lambda one: one.rough, default=None)
    if better is None:
        return None
    alike = [one for one in candidates if one.rough < middle and shape(one.policy) == shape(better.policy)]
    best = max(candidates, key=lambda one: one.rough).policy
    lines = [(max(alike, key=lambda one: one.rough).policy, better.policy)] if alike else []

    def progress(policy: GaussianPolicy) -> float:
        return share(scorer(policy, episodes=TRIAL_EPISODES, seed=TRIAL_SEED).mean, low=low, high=high)

    for worse, end in [*lines, (wild(best), best)]:
        found = bisect(worse, end, progress, *ON_A_LINE)
        if found is not None:
            return final(Candidate(policy=found, rough=middle), scorer)
    return None


def final(candidate: Candidate, scorer: Scorer) -> Chosen:
    """Return a policy as a file will hold it, with the score that is published: that of what is shipped."""
    policy = candidate.policy.as_saved()
    return Chosen(policy=policy, score=scorer(policy, episodes=EPISODES, seed=FINAL_SEED))


def calm(policy: GaussianPolicy, scorer: Scorer, *, goal: float) -> GaussianPolicy:
    """Return the policy with as much of its noise as lets drawn actions reach a goal.

    What a policy explored with in training would have it fall in most episodes of a dataset.

    Args:
        policy: The policy.
        scorer: Scores a policy whose actions are drawn.
        goal: The return to reach; with an eighth of the noise, the search ends.
    """
    for factor in NOISES:
        quiet = replace(policy, log_std=(policy.log_std + np.log(factor)).astype(np.float32))
        if scorer(quiet, episodes=TRIAL_EPISODES, seed=TRIAL_SEED).mean >= goal:
            break
    return quiet


def choose_snapshots(candidates: Sequence[Candidate], *, low: float, high: float) -> list[Candidate]:
    """Return policies whose returns are spread evenly from random to expert, the worst first."""
    left, found = list(candidates), []
    for wanted in (np.arange(SNAPSHOTS) + 0.5) / SNAPSHOTS:
        if left:
            nearest = min(left, key=lambda candidate: abs(share(candidate.rough, low=low, high=high) - wanted))
            left.remove(nearest)
            found.append(nearest)
    return sorted(found, key=lambda candidate: candidate.rough)


def share(value: float, *, low: float, high: float) -> float:
    """Return how far a return lies on the way from random to expert; 0 where there is no way."""
    return float((value - low) / (high - low)) if high > low else 0.0
