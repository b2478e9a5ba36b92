"""The world models that agents learn in: recurrent state-space models of states or of pixels, with rewards and ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from transreward_baselines.parts.normalization import RunningStatistics
from transreward_wrappers.world_models.rssm_network import RSSMNetwork
from transreward_wrappers.world_models.rssm_settings import RSSMSettings
from transreward_wrappers.world_models.scales import SMALLEST
from transreward_wrappers.world_models.windows import Windows

SIDE = 64
"""Height and width of pictures [pixels]."""

CHANNELS = (3, 16, 32, 64, 128)
"""Of a picture, and after each of the four convolutions, which halve height and width."""

OUTCOME_WEIGHT = 40.0
"""Of the loss of rewards and ends, against that of observations: an agent that learns in a model lives by them [-]."""

NARROWEST = SIDE // 2 ** (len(CHANNELS) - 1)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a world model and of an actor in it."""

    observation: int
    action: int
    belief: int
    stochastic: int
    hidden: int

    pixels: bool = False
    """Whether observations are pictures, as vectors of ``64 * 64 * 3`` numbers from 0 to 255."""


class StateModel(RSSMNetwork):
    """The network of a recurrent state-space model, without what tells how unsure it is.

    Args:
        sizes: Its sizes.
        scaled: Number of values with scales of their own; as many as an observation has when left out.
    """

    def __init__(self, sizes: Sizes, *, scaled: int | None = None) -> None:
        settings = RSSMSettings(belief=sizes.belief, stochastic=sizes.stochastic, hidden=sizes.hidden, reward=True)
        super().__init__(scaled or sizes.observation, sizes.action, settings)
        del self.witnesses
        self.scales.low.fill_(-math.inf)  # what is decoded is not clipped
        self.scales.high.fill_(math.inf)

    def take_scales(self, statistics: Mapping[str, RunningStatistics]) -> None:
        """Normalise ``observations`` and ``rewards`` by what is known of them; what is not told stays as it is."""
        buffers = {
            "observations": (self.scales.mean, self.scales.std),
            "rewards": (self.reward_mean, self.reward_std),
        }
        for name, told in statistics.items():
            deviation = np.sqrt(told.variance)
            varies = deviation > SMALLEST * np.maximum(np.abs(told.mean), 1.0)
            for buffer, values in zip(buffers[name], (told.mean, np.where(varies, deviation, 1.0)), strict=True):
                buffer.copy_(torch.from_numpy(values).view(buffer.shape))

    def _outcomes(self, states: torch.Tensor, windows: Windows) -> torch.Tensor:
        return OUTCOME_WEIGHT * super()._outcomes(states, windows)

    def _disagreement(self, *_: Any) -> torch.Tensor:
        return self.reward_mean.new_zeros(())


class PixelModel(StateModel):
    """The same for pictures, with convolutions in posterior and decoder; all pixels have one scale."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes, scaled=1)
        self.posterior = ConvolutionalEncoder(2 * sizes.stochastic)  # type: ignore[assignment]
        self.decoder = ConvolutionalDecoder(self.state_size)  # type: ignore[assignment]
        self.scales.mean.fill_(127.5)
        self.scales.std.fill_(255.0)


class ConvolutionalEncoder(nn.Module):
    """From pictures as ``(..., 64 * 64 * 3)`` to ``(..., outputs)``."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, channels in pairwise(CHANNELS):
            layers += [nn.Conv2d(inputs, channels, 4, stride=2, padding=1), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1] * NARROWEST**2, outputs))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encode pictures."""
        images = pictures.reshape(-1, SIDE, SIDE, CHANNELS[0]).permute(0, 3, 1, 2)
        encoded: torch.Tensor = self.layers(images)
        return encoded.view(*pictures.shape[:-1], -1)


class ConvolutionalDecoder(nn.Module):
    """From ``(..., inputs)`` to pictures as ``(..., 64 * 64 * 3)``."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        begin = CHANNELS[-1] * NARROWEST**2
        layers: list[nn.Module] = [nn.Linear(inputs, begin), nn.Unflatten(1, (CHANNELS[-1], NARROWEST, NARROWEST))]
        for channels, outputs in pairwise(reversed(CHANNELS)):
            layers += [nn.SiLU(), nn.ConvTranspose2d(channels, outputs, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Decode states."""
        images: torch.Tensor = self.layers(states.reshape(-1, states.shape[-1]))
        return images.permute(0, 2, 3, 1).reshape(*states.shape[:-1], -1)
