"""A learning rate that follows how far each update moves the policy (Rudin et al. 2022, arXiv:2109.11978)."""

from __future__ import annotations

import torch

LIMITS = (1e-5, 5e-3)
"""Of the learning rate; one that was asked for beyond them moves to the nearer."""

SAMPLE = 1024
"""Transitions that are enough to estimate a divergence from."""

PACE = 1.5
"""By what it is raised or lowered."""


def adapted(learning_rate: float, found: float, target: float) -> float:
    """Return a lower learning rate if the divergence found is more than twice the target, a higher one below a half."""
    factor = 1.0 / PACE if found > 2.0 * target else PACE if found < 0.5 * target else 1.0
    return min(max(learning_rate * factor, LIMITS[0]), LIMITS[1])


def divergence(change: torch.Tensor) -> float:
    """Return the estimate ``E[r - 1 - log r]`` of ``KL(old, new)`` [nats], from changes of log-densities, ``(n,)``.

    It is never negative, and has less variance than the mean of ``-log r`` (Schulman 2020, "Approximating KL").
    """
    return float((change.exp() - 1.0 - change).mean())
