"""What the network of a world model computes; the model around it checks, fits and keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn

from transreward_wrappers.world_models.scales import Scales
from transreward_wrappers.world_models.windows import Stretches, Windows


class Network(nn.Module, ABC):
    """Weights and scales of a world model; observations come and go in the domain's own units.

    Args:
        observation_size: Length of an observation.
    """

    context: ClassVar[int] = 0
    """Steps that it is shown, in validation, before it predicts."""

    state_size: int
    """Length of a state."""

    def __init__(self, observation_size: int) -> None:
        super().__init__()
        self.scales = Scales(observation_size)

    def prepare(self, data: Stretches) -> None:
        """Take the scales of data."""
        self.scales.fit(data)

    @abstractmethod
    def loss(self, windows: Windows, generator: torch.Generator) -> torch.Tensor:
        """Return the loss on windows, a scalar."""

    @abstractmethod
    def infer(self, observations: torch.Tensor, actions: torch.Tensor | None) -> torch.Tensor:
        """Return states as ``(B, state_size)``; see :meth:`WorldModel.infer`."""

    @abstractmethod
    def imagine(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return observations as ``(N, H, O)`` and spreads as ``(N, H)``; ``states`` is ``(N, state_size)``."""

    def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return observations as ``(N, H, O)``, in less time if there is a way."""
        return self.imagine(states, actions)[0]
