"""Batches of a meta-learner: some tasks, each with a context, transitions of its own, and those of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transreward_baselines.lanes import Array
from transreward_baselines.meta.family import Family, Tasks
from transreward_baselines.meta.memory import EpisodeMemory, Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class MetaBatch:
    """What a gradient step is taken on, of ``B`` tasks."""

    tasks: Tasks
    """As ``(B,)``."""

    context: Steps
    """What each task is inferred from, task by task, as many of each."""

    steps: Steps
    """``N`` transitions, the tasks' own first."""

    own: int
    """How many of them are the tasks' own; the others are relabelled."""

    given: Tasks
    """Which of the ``B`` tasks each of them is given to, as ``(N,)``."""

    rewards: Array
    """What that task pays for each, as ``(N,)``."""


def draw_batch(
    memory: EpisodeMemory,
    family: Family,
    *,
    tasks: int,
    size: int,
    stretches: int,
    lookahead: int,
    context: int,
    recent: int,
    generator: np.random.Generator,
) -> MetaBatch:
    """Draw a batch; a stretch of another task's trajectory is of any other task alike.

    Args:
        memory: Episodes of all tasks to learn from.
        family: Tells what a task would pay for another's transitions.
        tasks: Number of tasks B.
        size: Transitions of each task: those of the stretches that it is given, and for the rest its own.
        stretches: Of other tasks' trajectories, given to each task; near an episode's ends they are shorter.
        lookahead: Most steps of a stretch.
        context: Transitions that each task is inferred from.
        recent: Newest episodes of a task that these are drawn from.
        generator: Draws it all.
    """
    chosen = generator.choice(family.train, tasks, replace=False)
    inferred_from = memory.draw(chosen, context, generator, recent=recent)
    to = np.repeat(np.arange(tasks), stretches)
    others = (chosen[to] + generator.integers(1, family.train, len(to))) % family.train
    drawn, stretch = memory.draw_stretches(others, lookahead, generator)
    relabelled = to[stretch]
    own = np.repeat(np.arange(tasks), np.maximum(size - np.bincount(relabelled, minlength=tasks), 0))
    steps = memory.draw(chosen[own], 1, generator)
    rewards = np.append(steps.rewards.astype(np.float64), relabelled_rewards(family, drawn, chosen[relabelled]))
    return MetaBatch(
        tasks=chosen,
        context=inferred_from,
        steps=steps.joined(drawn),
        own=len(own),
        given=np.append(own, relabelled),
        rewards=rewards,
    )


def relabelled_rewards(family: Family, steps: Steps, tasks: Tasks) -> Array:
    """Return what tasks would have paid for transitions, each a task's own, as ``(N,)``."""
    seen = (steps.observations, steps.actions, steps.next_observations)
    return family.rewards(tasks, *(part.astype(np.float64) for part in seen))
