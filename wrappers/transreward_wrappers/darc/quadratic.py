"""Products of features: between two linear-Gaussian worlds the log-ratio of dynamics is linear in these."""

from __future__ import annotations

import torch


def quadratic_size(size: int) -> int:
    """Return how many numbers ``size`` features and the products of each two of them are."""
    return size + size * (size + 1) // 2


def quadratic_features(features: torch.Tensor, pair_size: int) -> torch.Tensor:
    """Return features and the products of each two, those of ``(s, a)`` alone first.

    Args:
        features: As ``(..., width)``, those of ``(s, a)`` first.
        pair_size: How many are of ``(s, a)``.

    Returns:
        As ``(..., width + width (width + 1) / 2)``, of which the first ``quadratic_size(pair_size)`` are what the
        features of ``(s, a)`` alone would give.
    """
    width = features.shape[-1]
    first, second = torch.triu_indices(width, width)
    of_pair = second < pair_size
    order = torch.cat([torch.nonzero(of_pair)[:, 0], torch.nonzero(~of_pair)[:, 0]])
    products = features[..., first[order]] * features[..., second[order]]
    count = int(of_pair.sum())
    parts = (features[..., :pair_size], products[..., :count], features[..., pair_size:], products[..., count:])
    return torch.cat(parts, dim=-1)
