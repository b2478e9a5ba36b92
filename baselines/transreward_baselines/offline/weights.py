"""How much each action of the data is imitated, by its advantage."""

from __future__ import annotations

import torch

MOST_WEIGHT = 20.0
"""Of an action that is imitated."""


def advantage_weights(advantages: torch.Tensor, beta: float) -> torch.Tensor:
    """Return how much actions are imitated, of each run by its own standardised advantages ``(R, B)``."""
    deviation, mean = torch.std_mean(advantages, dim=1, keepdim=True, correction=0)
    return ((advantages - mean) / (deviation + 1e-5) / beta).exp().clamp(max=MOST_WEIGHT)
