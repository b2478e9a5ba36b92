"""Whole episodes of each task, from which transitions and stretches of trajectories are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_baselines.meta.episodes import Episodes, Rows
from transreward_baselines.meta.family import Tasks
from transreward_envs.errors import require_count

Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """``N`` transitions, those of a stretch of a trajectory one after the other."""

    source: Tasks
    """The task that each was made in, as ``(N,)``."""

    observations: Rows
    """As ``(N, observation_size)``."""

    actions: Rows
    """In ``[-1, 1]``, as ``(N, action_size)``."""

    rewards: Rows
    """As the task that it was made in paid, as ``(N,)``."""

    next_observations: Rows
    """As ``(N, observation_size)``."""

    log_densities: Rows
    """Of the actions, under the policy that took them [nats], as ``(N,)``."""

    terminated: Bools
    """Whether the task ended there, as ``(N,)``."""

    ends: Bools
    """Whether what is drawn of the trajectory ends there, as ``(N,)``."""

    def __len__(self) -> int:
        return len(self.rewards)

    def joined(self, other: Steps) -> Steps:
        """Return these, then the others."""
        names = [field.name for field in fields(self)]
        return Steps(**{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names})


class EpisodeMemory:
    """Keeps the newest episodes of each task, as many of each.

    Args:
        tasks: Number of tasks.
        capacity: Episodes that are kept of each.
        horizon: The longest episode [steps].
        observation_size: Length of an observation.
        action_size: Length of an action.
    """

    def __init__(self, tasks: int, capacity: int, horizon: int, observation_size: int, action_size: int) -> None:
        require_count("capacity", capacity, at_least=1)
        self.capacity, self.added = capacity, 0
        shape = (tasks, capacity)
        self._arrays: dict[str, NDArray[Any]] = {
            "observations": np.zeros((*shape, horizon + 1, observation_size), np.float32),
            "actions": np.zeros((*shape, horizon, action_size), np.float32),
            "rewards": np.zeros((*shape, horizon), np.float32),
            "log_densities": np.zeros((*shape, horizon), np.float32),
            "lengths": np.zeros(shape, np.int64),
            "terminated": np.zeros(shape, np.bool_),
        }

    def __len__(self) -> int:
        """Return how many episodes there are of each task."""
        return min(self.added, self.capacity)

    def add(self, episodes: Episodes) -> None:
        """Add an episode of each task, in the order of tasks, over the oldest ones."""
        for name, array in self._arrays.items():
            array[:, self.added % self.capacity] = getattr(episodes, name)
        self.added += 1

    def draw(self, tasks: Tasks, count: int, generator: np.random.Generator, *, recent: int | None = None) -> Steps:
        """Return transitions of tasks, each as likely as any other of its task, with replacement.

        Args:
            tasks: As ``(B,)``.
            count: Transitions of each task; the ``B * count`` are task by task.
            generator: Draws them.
            recent: From how many of the newest episodes; from all when left out.
        """
        episode, step = self._draw(tasks, count, generator, 0, recent)
        task = np.repeat(tasks, count)
        return self._steps(task, episode, step, ends=np.ones(len(task), np.bool_))

    def draw_stretches(self, tasks: Tasks, length: int, generator: np.random.Generator) -> tuple[Steps, Tasks]:
        """Return stretches of trajectories, and which stretch each of their transitions is of, as ``(N,)``.

        A window of so many steps is laid over an episode, at the ends over its edge too, so that each transition is as
        likely to be drawn as any other of its task.

        Args:
            tasks: The task of each stretch, as ``(M,)``.
            length: Most transitions of a stretch.
            generator: Draws them.
        """
        episode, last = self._draw(tasks, 1, generator, length - 1, None)  # of the window, which may lie beyond the end
        steps = last[:, None] + np.arange(1 - length, 1)
        there = (steps >= 0) & (steps < self._arrays["lengths"][tasks, episode][:, None])
        stretch = np.broadcast_to(np.arange(len(tasks))[:, None], there.shape)[there]
        ends = np.append(stretch[1:] != stretch[:-1], True)[: len(stretch)]
        return self._steps(tasks[stretch], episode[stretch], steps[there], ends=ends), stretch

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the episodes, the oldest first, and how many were ever added."""
        order = (self.added - len(self) + np.arange(len(self))) % self.capacity
        kept = {name: torch.from_numpy(array[:, order]) for name, array in self._arrays.items()}
        return {**kept, "added": torch.tensor(self.added)}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what :meth:`tensors` returned."""
        self.added = int(tensors["added"])
        order = (self.added - len(self) + np.arange(len(self))) % self.capacity
        for name, array in self._arrays.items():
            array[:, order] = tensors[name].numpy()

    def _draw(
        self, tasks: Tasks, count: int, generator: np.random.Generator, more: int, recent: int | None
    ) -> tuple[Tasks, Tasks]:
        """Return episodes and steps, as ``(B * count,)`` each; an episode counts as so many steps longer than it is."""
        if self.added == 0:
            raise ValueError("A memory must hold episodes before any can be drawn from; it is empty. Add some first.")
        newest = min(recent or len(self), len(self))
        slots = (self.added - newest + np.arange(newest)) % self.capacity
        lengths = self._arrays["lengths"][tasks[:, None], slots] + more
        ends = np.cumsum(lengths).reshape(lengths.shape)  # of all tasks' episodes, one after the other
        first = ends[:, -1] - lengths.sum(axis=1)
        drawn = (generator.random((len(tasks), count)) * lengths.sum(axis=1)[:, None]).astype(np.int64)
        place = (drawn + first[:, None]).ravel()
        index = np.searchsorted(ends.ravel(), place, side="right")
        begin = (ends - lengths).ravel()[index]
        return slots[index % newest], place - begin

    def _steps(self, task: Tasks, episode: Tasks, step: Tasks, *, ends: Bools) -> Steps:
        """Return the transitions at these places."""
        arrays, place = self._arrays, (task, episode, step)
        last = step == arrays["lengths"][task, episode] - 1
        return Steps(
            source=task,
            observations=arrays["observations"][place],
            actions=arrays["actions"][place],
            rewards=arrays["rewards"][place],
            next_observations=arrays["observations"][task, episode, step + 1],
            log_densities=arrays["log_densities"][place],
            terminated=arrays["terminated"][task, episode] & last,
            ends=ends,
        )
