"""Episodes, references and labels as tensors, to be kept in a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from transreward_wrappers.alignment import Reference
from transreward_wrappers.compensation import Float
from transreward_wrappers.datasets import Episode
from transreward_wrappers.dtw.labels import Labels
from transreward_wrappers.storage import Tensors


def episodes_tensors(episodes: Sequence[Episode]) -> Tensors:
    """Return episodes, without rewards, as tensors."""
    if not episodes:
        return {}
    return {
        "lengths": torch.tensor([len(episode) for episode in episodes]),
        "terminated": torch.tensor([episode.terminated for episode in episodes]),
        "observations": torch.from_numpy(np.concatenate([episode.observations for episode in episodes])),
        "actions": torch.from_numpy(np.concatenate([episode.actions for episode in episodes])),
    }


def episodes_of(tensors: Tensors) -> list[Episode]:
    """Return the episodes of :func:`episodes_tensors`; their rewards are 0."""
    if not tensors:
        return []
    lengths = tensors["lengths"].numpy()
    observations = _parts(tensors["observations"], lengths + 1)
    actions = _parts(tensors["actions"], lengths)
    terminated = tensors["terminated"].tolist()
    return [
        Episode(observations=seen, actions=taken, rewards=np.zeros(len(taken)), terminated=over)
        for seen, taken, over in zip(observations, actions, terminated, strict=True)
    ]


def references_tensors(references: Sequence[Reference]) -> Tensors:
    """Return references as tensors."""
    if not references:
        return {}
    return {
        "lengths": torch.tensor([len(reference) for reference in references]),
        "observations": torch.from_numpy(np.concatenate([reference.observations for reference in references])),
        "rewards": torch.from_numpy(np.concatenate([reference.rewards for reference in references])),
        "scales": torch.from_numpy(np.stack([reference.scale for reference in references])),
        "floors": torch.tensor([reference.floor for reference in references], dtype=torch.float64),
    }


def references_of(tensors: Tensors) -> list[Reference]:
    """Return the references of :func:`references_tensors`."""
    if not tensors:
        return []
    lengths = tensors["lengths"].numpy()
    observations, rewards = _parts(tensors["observations"], lengths), _parts(tensors["rewards"], lengths)
    return [
        Reference(observations=seen, rewards=paid, scale=scale, floor=floor)
        for seen, paid, scale, floor in zip(
            observations, rewards, tensors["scales"].numpy(), tensors["floors"].tolist(), strict=True
        )
    ]


def labels_tensors(labels: Labels | None) -> Tensors:
    """Return observations and what they are worth, if there are any, as tensors."""
    if labels is None:
        return {}
    return {"observations": torch.from_numpy(labels.observations), "rewards": torch.from_numpy(labels.rewards)}


def labels_of(tensors: Tensors) -> Labels | None:
    """Return the labels of :func:`labels_tensors`."""
    return Labels(**{name: tensor.numpy() for name, tensor in tensors.items()}) if tensors else None


def _parts(joined: torch.Tensor, lengths: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Float]:
    """Return rows in pieces of these lengths."""
    return np.split(joined.numpy(), np.cumsum(lengths)[:-1])
