"""The law of actions that tanh squashes into a box: Haarnoja et al. 2018 (arXiv:1812.05905), appendix C."""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def squashed_log_density(noise: torch.Tensor, log_std: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Return the log-density of ``tanh(before)`` [nats], as ``(...,)``; ``before`` is normal.

    Args:
        noise: ``before`` in deviations from its mean, as ``(..., action_size)``.
        log_std: Log-deviations of ``before``.
        before: What is squashed.
    """
    gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    squash = 2.0 * (math.log(2.0) - before - functional.softplus(-2.0 * before))  # log(1 - tanh^2)
    return (gaussian - squash).sum(dim=-1)


def within(raw: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """Return a network's outputs squashed into limits, as log-deviations are."""
    low, high = limits
    return low + 0.5 * (high - low) * (raw.tanh() + 1.0)
