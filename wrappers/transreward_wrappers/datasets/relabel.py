"""Gives a dataset other rewards: the seam through which compensations work offline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from minari.serialization import deserialize_space
from numpy.typing import NDArray

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.datasets.dataset import Dataset
from transreward_wrappers.datasets.episode import Episode
from transreward_wrappers.datasets.writer import SCHEMA, DatasetWriter

BATCH = 65_536
"""Transitions that are relabelled by one call, or few more."""

RETURNS = {"return_mean", "return_std", "whole_episodes"}
"""What is said of a dataset's rewards, and is not true of other ones."""

Compensate = Callable[[Transitions], NDArray[np.float64]]


def relabel(
    dataset: Dataset, compensate: Compensate, directory: Path, *, domain: int, about: Mapping[str, Any], name: str
) -> Dataset:
    """Write a dataset anew with ``r + compensate(s, a, r, s', terminated)`` for its rewards.

    Of what else a dataset may hold for each step, the log-densities of actions are kept, and nothing more.

    Args:
        dataset: The dataset; it stays as it is.
        compensate: From a batch of transitions to what is added to each reward, as ``(B,)``; a compensation is one.
        directory: Folder of the new dataset.
        domain: Of the transitions, 0 for the source and 1 for the target.
        about: How the rewards were made, as JSON types; kept in the new dataset, with where the data come from.
        name: Id of the new dataset.

    Raises:
        ValueError: What is added is not finite, or not of the right shape.
        FileExistsError: The folder is taken.
    """
    source = dataset.metadata.get("dataset_id", str(dataset.directory))
    ours = {"schema": SCHEMA, "relabelled_from": source, "compensation": dict(about)}
    if "compensation" in dataset.about:  # whose rewards these ones go on from
        before = {key: dataset.about[key] for key in ("relabelled_from", "compensation")}
        ours["relabelled_before"] = [*dataset.about.get("relabelled_before", []), before]
    kept = {key: value for key, value in dataset.about.items() if key not in RETURNS}
    fixed = {"dataset_size", "total_episodes", "total_steps", "observation_space", "action_space"}
    metadata = {key: value for key, value in dataset.metadata.items() if key not in fixed}
    writer = DatasetWriter(
        directory,
        observation_space=deserialize_space(dataset.metadata["observation_space"]),
        action_space=deserialize_space(dataset.metadata["action_space"]),
        metadata={**metadata, "dataset_id": name, "transreward": {**kept, **ours}},
    )
    with writer:
        batch: list[Episode] = []
        for episode in dataset.episodes():
            batch.append(episode)
            if sum(map(len, batch)) >= BATCH:
                _write(writer, batch, compensate, domain)
                batch = []
        if batch:
            _write(writer, batch, compensate, domain)
    return Dataset(directory)


def _write(writer: DatasetWriter, batch: list[Episode], compensate: Compensate, domain: int) -> None:
    steps = [len(episode) for episode in batch]
    transitions = Transitions(
        observation=np.concatenate([episode.observations[:-1] for episode in batch]),
        action=np.concatenate([episode.actions for episode in batch]).astype(np.float64),
        reward=np.concatenate([episode.rewards for episode in batch]),
        next_observation=np.concatenate([episode.observations[1:] for episode in batch]),
        terminated=np.concatenate(
            [np.arange(n) == n - 1 if e.terminated else np.zeros(n, bool) for e, n in zip(batch, steps, strict=True)]
        ),
        domain=np.full(sum(steps), domain),
    )
    added = np.asarray(compensate(transitions), dtype=np.float64)
    if added.shape != transitions.reward.shape or not np.isfinite(added).all():
        raise ValueError(
            f"A compensation returns a finite number for each of {len(transitions)} transitions; got the shape "
            f"{added.shape} with {int((~np.isfinite(added)).sum())} that are not finite."
        )
    rewards = np.split(transitions.reward + added, np.cumsum(steps)[:-1])
    for episode, values in zip(batch, rewards, strict=True):
        writer.add(replace(episode, rewards=values))
