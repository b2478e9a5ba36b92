"""The scales of a domain's observations, as buffers of a network."""

from __future__ import annotations

import torch
from torch import nn

from transreward_wrappers.world_models.windows import Stretches

SMALLEST = 1e-6
"""Below this share of its size, a feature that varies is taken as constant, and left as it is [-]."""


class Scales(nn.Module):
    """Mean, deviation and range of observations, and the deviation of their changes; float32.

    Args:
        shape: Length of an observation; several axes where there are scales of several domains.
    """

    mean: torch.Tensor
    std: torch.Tensor
    change: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    residual: torch.Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        for name, value in {"mean": 0.0, "std": 1.0, "change": 1.0, "low": 0.0, "high": 0.0, "residual": 0.0}.items():
            self.register_buffer(name, torch.full(shape, value))

    def fit(self, data: Stretches) -> None:
        """Take the statistics of data.

        ``change`` is the deviation of a step's change, ``low`` and ``high`` the range, all three normalised;
        ``residual`` is measured later: the model's error after one step, in the observation's own units.
        """
        self.measure(data.observations, data.changes())
        self.low.fill_(torch.inf)
        self.high.fill_(-torch.inf)
        self.widen(data)

    def measure(self, observations: torch.Tensor, changes: torch.Tensor) -> None:
        """Take the deviations of observations and of a step's changes, ``(N, size)`` both."""
        observations = observations.double()
        mean, std = observations.mean(dim=0), observations.std(dim=0)
        std = torch.where(std > SMALLEST * mean.abs().clamp_min(1.0), std, 1.0)
        self.mean.copy_(mean)
        self.std.copy_(std)
        self.change.copy_((changes / self.std).square().mean(dim=0).sqrt().clamp_min(SMALLEST))

    def widen(self, data: Stretches) -> None:
        """Have the range include that of data."""
        normalised = self.normalise(data.observations)
        self.low.copy_(torch.minimum(self.low, normalised.amin(dim=0)))
        self.high.copy_(torch.maximum(self.high, normalised.amax(dim=0)))

    def normalise(self, observations: torch.Tensor) -> torch.Tensor:
        """Return observations normalised, as ``(..., size)``."""
        return (observations - self.mean) / self.std

    def restore(self, normalised: torch.Tensor) -> torch.Tensor:
        """Return observations in their own units, as ``(..., size)``."""
        return normalised * self.std + self.mean

    def clip(self, normalised: torch.Tensor) -> torch.Tensor:
        """Return normalised observations, clipped to the range of the data."""
        return torch.maximum(torch.minimum(normalised, self.high), self.low)
