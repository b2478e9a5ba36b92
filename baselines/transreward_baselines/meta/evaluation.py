"""Meta-tests: what a meta-learner returns on held-out tasks after so many episodes of adapting to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from transreward_baselines.evaluation import EVALUATION_SEED
from transreward_baselines.lanes import Lanes
from transreward_baselines.meta.encoder import Posterior
from transreward_baselines.meta.episodes import Act, Episodes, play


class MetaPolicy(Protocol):
    """What infers a task from episodes, and acts as in a task that it believes in."""

    def infer(self, episodes: Sequence[Episodes], tasks: int) -> Posterior:
        """Return what is believed of so many tasks after episodes of them; the prior after none."""

    def actor(self, latents: torch.Tensor, generator: torch.Generator | None) -> Act:
        """Return what acts in tasks, each lane in one: by chance as a generator has it, or deterministically."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetaEvaluation:
    """One row of a run's results."""

    step: int
    """Environment steps of meta-training."""

    seconds: float
    """Wall-clock time of training so far, without that of evaluations [s]."""

    adaptation_episodes: int
    """Episodes that each task was inferred from."""

    return_mean: float
    """Of the deterministic policy, in the task that is believed in, over held-out tasks."""

    return_std: float
    """Over tasks and episodes."""

    success: float
    """Share of episodes that earned anything."""

    episodes: int


def meta_test(
    policy: MetaPolicy, lanes: Lanes, *, episodes: int, horizon: int, seed: int = EVALUATION_SEED
) -> list[Episodes]:
    """Return the episodes by which a policy is judged, after 0, 1, 2 and so on of adaptation.

    In an episode of adaptation the policy acts as it does in training: by chance, in a task drawn from what it
    believes. It is judged by another one, in which it acts deterministically, in the task that is its mean.

    Args:
        policy: The policy.
        lanes: Each in a held-out task.
        episodes: Of adaptation.
        horizon: Of an episode [steps].
        seed: Of the first episode; those by which it is judged have the same starts each time.
    """
    generator = torch.Generator().manual_seed(seed)
    seen: list[Episodes] = []
    judged: list[Episodes] = []
    for count in range(episodes + 1):
        belief = policy.infer(seen, lanes.num_envs)
        judged.append(play(lanes, policy.actor(belief.mean, None), horizon=horizon, seed=seed))
        if count < episodes:
            act = policy.actor(belief.sample(generator), generator)
            seen.append(play(lanes, act, horizon=horizon, seed=seed + (count + 1) * lanes.num_envs))
    return judged


def rows_of(judged: Sequence[Episodes], *, step: int, seconds: float) -> list[MetaEvaluation]:
    """Return a row for each number of episodes of adaptation."""
    rows = []
    for count, episodes in enumerate(judged):
        returns = episodes.returns
        row = MetaEvaluation(
            step=step,
            seconds=seconds,
            adaptation_episodes=count,
            return_mean=float(returns.mean()),
            return_std=float(returns.std()),
            success=float((returns > 0.0).mean()),
            episodes=len(returns),
        )
        rows.append(row)
    return rows
