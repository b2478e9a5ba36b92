"""All transitions of a dataset in one array each, and stretches of them that stay within their episodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.datasets.episode import Episode

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class FlatTransitions:
    """``N`` transitions, episode after episode."""

    observations: Array
    """As ``(N, observation_size)``."""

    actions: NDArray[np.floating]
    """As ``(N, action_size)``."""

    rewards: Array
    """As ``(N,)``."""

    next_observations: Array
    """As ``(N, observation_size)``: at an episode's end its own last observation."""

    terminated: Bools
    """Whether the task ended, as ``(N,)``."""

    truncated: Bools
    """Whether the episode ended otherwise, by its time limit or the end of the recording, as ``(N,)``."""

    episode: NDArray[np.int64]
    """Index of the episode, as ``(N,)``."""

    policy: NDArray[np.int64]
    """Which of the dataset's policies acted, as ``(N,)``."""

    log_densities: Array
    """Of the actions under the policy that took them [nats], as ``(N,)``; NaN where nobody kept them."""

    def __len__(self) -> int:
        return len(self.rewards)

    def as_transitions(self, domain: int) -> Transitions:
        """Return them as what a compensation sees.

        Args:
            domain: 0 for the source, 1 for the target.
        """
        return Transitions(
            observation=self.observations,
            action=self.actions.astype(np.float64),
            reward=self.rewards,
            next_observation=self.next_observations,
            terminated=self.terminated,
            domain=np.full(len(self), domain),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequences:
    """``N`` stretches of ``L`` steps, each within one episode."""

    observations: Array
    """The one after the last step too, as ``(N, L + 1, observation_size)``."""

    actions: NDArray[np.floating]
    """As ``(N, L, action_size)``."""

    rewards: Array
    """As ``(N, L)``."""

    terminated: Bools
    """As ``(N, L)``."""

    truncated: Bools
    """As ``(N, L)``."""

    mask: Bools
    """Which steps there are, as ``(N, L)``; all but where the end of an episode was filled up."""

    def __len__(self) -> int:
        return len(self.rewards)


def flatten(episodes: Iterable[Episode], size: int) -> FlatTransitions:
    """Return all transitions of episodes, of which there are ``size``.

    Raises:
        ValueError: There are more or fewer.
    """
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for index, episode in enumerate(episodes):
        if start + len(episode) > size:
            start += len(episode)
            break
        for name, values in _columns(episode, index).items():
            if name not in arrays:
                arrays[name] = np.empty((size, *values.shape[1:]), values.dtype)
            arrays[name][start : start + len(episode)] = values
        start += len(episode)
    if start != size or size == 0:
        raise ValueError(f"its metadata promise {size} transitions, and at least one; there are others.")
    return FlatTransitions(**arrays)


def windows(flat: FlatTransitions, length: int, *, stride: int, pad: bool) -> Sequences:
    """Return stretches of ``length`` steps; see :meth:`Dataset.sequences`."""
    first = np.flatnonzero(np.diff(flat.episode, prepend=-1))
    last = np.append(first[1:], len(flat))
    starts, ends = [], []
    for start, end in zip(first, last, strict=True):
        begin = np.arange(start, end if pad else end - length + 1, stride)
        starts.append(begin)
        ends.append(np.full(len(begin), end))
    begin, end = np.concatenate(starts)[:, None], np.concatenate(ends)[:, None]
    index = begin + np.arange(length)
    mask = index < end
    index = np.minimum(index, end - 1)

    def take(values: NDArray[Any]) -> NDArray[Any]:
        taken: NDArray[Any] = values[index]
        taken[~mask] = 0
        return taken

    observations = np.concatenate([take(flat.observations), np.zeros_like(flat.observations[begin])], axis=1)
    steps = mask.sum(axis=1)
    rows = np.arange(len(index))
    observations[rows, steps] = flat.next_observations[index[rows, steps - 1]]
    return Sequences(
        observations=observations,
        actions=take(flat.actions),
        rewards=take(flat.rewards),
        terminated=take(flat.terminated),
        truncated=take(flat.truncated),
        mask=mask,
    )


def _columns(episode: Episode, index: int) -> dict[str, NDArray[Any]]:
    steps = len(episode)
    last = np.arange(steps) == steps - 1
    unknown = np.full(steps, np.nan)
    return {
        "observations": episode.observations[:-1],
        "actions": np.asarray(episode.actions),
        "rewards": episode.rewards,
        "next_observations": episode.observations[1:],
        "terminated": last & episode.terminated,
        "truncated": last & (not episode.terminated),
        "episode": np.full(steps, index),
        "policy": np.full(steps, episode.policy),
        "log_densities": unknown if episode.log_densities is None else episode.log_densities,
    }
