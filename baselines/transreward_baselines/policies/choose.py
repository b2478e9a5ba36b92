"""Chooses, among the policies that training went through, those that are shipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from transreward_baselines.evaluation import EVALUATION_SEED
from transreward_baselines.policies.between import bisect, shape, wild
from transreward_baselines.policies.scores import EPISODES, FINAL_SEED, Score
from transreward_wrappers.policies import GaussianPolicy

MEDIUM = (1.0 / 3.0, 0.5)
"""A medium policy's share of the way from random to expert."""

WELL_INSIDE = (0.37, 0.46)
"""That share by trial episodes, because others score otherwise."""

FINALISTS = 3
ATTEMPTS = 6
WILD_LINES = 5
SNAPSHOTS = 8
NOISES = tuple(0.5**halvings for halvings in range(7))
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


def choose_expert(candidates: Sequence[Candidate], scorer: Scorer, *, beginnings: Sequence[Candidate] = ()) -> Chosen:
    """Return the best of the few that seem best; what it scores is measured by episodes that chose nothing.

    Args:
        candidates: What to choose from.
        scorer: Scores a policy.
        beginnings: Of these, experts that training began with. They are among the few however they seem, or what is
            chosen might be worse.
    """
    others = [one for one in candidates if not any(one is known for known in beginnings)]
    finalists = [*beginnings, *sorted(others, key=lambda candidate: candidate.rough)[-FINALISTS:]]
    best = max(finalists, key=lambda one: scorer(one.policy, episodes=TRIAL_EPISODES, seed=TRIAL_SEED).mean)
    return final(best, scorer)


def choose_medium(candidates: Sequence[Candidate], scorer: Scorer, *, low: float, high: float) -> Chosen | None:
    """Return a policy between a third and a half of the way from random to expert; ``None`` if there is none.

    It is well inside on trial episodes; its published score, of others, falls where it falls. Where training stepped
    over that range, the policy is one on the line between the two next to it, and where training began above it, one
    on a line from a network of random weights to the best. If none of these is well inside, a candidate that is inside
    at all will do.

    Args:
        candidates: What to choose from.
        scorer: Scores a policy.
        low: What a random policy returns.
        high: What the expert returns.
    """

    def progress(policy: GaussianPolicy) -> float:
        return share(scorer(policy, episodes=TRIAL_EPISODES, seed=TRIAL_SEED).mean, low=low, high=high)

    middle = low + float(np.mean(MEDIUM)) * (high - low)
    inside: Candidate | None = None
    for candidate in sorted(candidates, key=lambda candidate: abs(candidate.rough - middle))[:ATTEMPTS]:
        reached = progress(candidate.policy)
        if _within(reached, WELL_INSIDE):
            return final(candidate, scorer)
        if inside is None and _within(reached, MEDIUM):
            inside = candidate
    for worse, better in _lines(candidates, middle):
        found = bisect(worse, better, progress, *WELL_INSIDE)
        if found is not None:
            return final(Candidate(policy=found, rough=middle), scorer)
    return None if inside is None else final(inside, scorer)


def _lines(candidates: Sequence[Candidate], middle: float) -> Iterator[tuple[GaussianPolicy, GaussianPolicy]]:
    """Yield a worse and a better policy each, between which there may be one of a middling return."""
    better = min((one for one in candidates if one.rough >= middle), key=lambda one: one.rough, default=None)
    if better is None:
        return
    alike = [one for one in candidates if one.rough < middle and shape(one.policy) == shape(better.policy)]
    if alike:
        yield max(alike, key=lambda one: one.rough).policy, better.policy
    best = max(candidates, key=lambda one: one.rough).policy
    for seed in range(WILD_LINES):
        yield wild(best, seed=seed), best


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def final(candidate: Candidate, scorer: Scorer) -> Chosen:
    """Return a policy as a file will hold it, with the score that is published: that of what is shipped."""
    policy = candidate.policy.as_saved()
    return Chosen(policy=policy, score=scorer(policy, episodes=EPISODES, seed=FINAL_SEED))


def calm(policy: GaussianPolicy, scorer: Scorer, *, goal: float) -> Chosen:
    """Return the policy with as much of its noise as lets drawn actions reach a goal, and what these return.

    What a policy explored with in training would have it fall in most episodes of a dataset.

    Args:
        policy: The policy.
        scorer: Scores a policy whose actions are drawn.
        goal: The return to reach; where the least noise does not reach it, that is what there is.
    """
    for factor in NOISES:
        quiet = replace(policy, log_std=(policy.log_std + np.log(factor)).astype(np.float32))
        drawn = scorer(quiet, episodes=TRIAL_EPISODES, seed=TRIAL_SEED)
        if drawn.mean >= goal:
            break
    return Chosen(policy=quiet, score=drawn)


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
