"""Chooses, among the policies that training went through, those that are shipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from transreward_baselines.evaluation import EVALUATION_SEED
from transreward_baselines.policies.scores import Score
from transreward_wrappers.policies import GaussianPolicy

MEDIUM = (1.0 / 3.0, 0.5)
"""A medium policy's share of the way from random to expert."""

FINALISTS = 3
ATTEMPTS = 6
SNAPSHOTS = 8
Scorer = Callable[[GaussianPolicy, int], Score]
"""Scores a policy by episodes of a seed."""


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


def choose_expert(candidates: Sequence[Candidate], scorer: Scorer, final_seed: int) -> Chosen:
    """Return the best of the few that seem best; what it scores is measured by episodes that chose nothing."""
    finalists = sorted(candidates, key=lambda candidate: candidate.rough)[-FINALISTS:]
    best = max(finalists, key=lambda candidate: scorer(candidate.policy, EVALUATION_SEED + 1_000).mean)
    return Chosen(policy=best.policy, score=scorer(best.policy, final_seed))


def choose_medium(
    candidates: Sequence[Candidate], scorer: Scorer, final_seed: int, *, low: float, high: float
) -> Chosen | None:
    """Return a policy between a third and a half of the way from random to expert; ``None`` if training met none.

    Args:
        candidates: What to choose from.
        scorer: Scores a policy.
        final_seed: Of the episodes that count.
        low: What a random policy returns.
        high: What the expert returns.
    """
    middle = low + np.mean(MEDIUM) * (high - low)
    for candidate in sorted(candidates, key=lambda candidate: abs(candidate.rough - middle))[:ATTEMPTS]:
        found = scorer(candidate.policy, final_seed)
        if MEDIUM[0] <= share(found.mean, low=low, high=high) <= MEDIUM[1]:
            return Chosen(policy=candidate.policy, score=found)
    return None


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
