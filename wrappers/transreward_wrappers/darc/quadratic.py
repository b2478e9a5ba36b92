"""Products of features: between two linear-Gaussian worlds the log-ratio of dynamics is linear in these."""

from __future__ import annotations

from functools import cache

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
    first, second = _factors(features.shape[-1], pair_size)
    products, count = features[..., first] * features[..., second], pair_size * (pair_size + 1) // 2
    parts = (features[..., :pair_size], products[..., :count], features[..., pair_size:], products[..., count:])
    return torch.cat(parts, dim=-1)


@cache
def _factors(width: int, pair_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which two features each product is of, the products within the first ``pair_size`` of them first."""
    first, second = torch.triu_indices(width, width)
    order = torch.argsort((second >= pair_size).long(), stable=True)
    return first[order], second[order]
