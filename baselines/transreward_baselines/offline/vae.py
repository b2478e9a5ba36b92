"""Conditional variational autoencoders of many runs: which actions the data have in a state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from transreward_baselines.offline.stacked import StackedMLP, in_parts, per_run

LOG_STD_LIMITS = (-4.0, 15.0)
"""Of latents, in nats."""

MOST_LATENT = 0.5
"""Bound of latents that actions are sampled from: far from 0 the decoder has seen little (Fujimoto et al. 2019)."""

DIVERGENCE_WEIGHT = 0.5
"""Of the divergence from the prior against the squared error, both means over their axes."""


class StackedVAE(nn.Module):
    """Autoencoders of actions given observations, one for each of R runs (Fujimoto et al. 2019, arXiv:1812.02900).

    The loss is mean (tanh d(s, z) - a)^2 + 0.5 mean KL(N(m, e^2l) || N(0, 1)), where m and l are what the encoder
    makes of (s, a), and z = m + e^l n with n of a standard normal distribution.

    Args:
        seeds: Of each run's initial weights.
        observation: Size of observations.
        action: Size of actions; latents have twice as many numbers.
        hidden: Width of the two hidden layers of encoders and decoders.
    """

    def __init__(self, seeds: Sequence[int], *, observation: int, action: int, hidden: int) -> None:
        super().__init__()
        self.latent = 2 * action
        """Size of latents."""
        self.encoder = StackedMLP(seeds, [observation + action, hidden, hidden, 2 * self.latent], name="encoder")
        self.decoder = StackedMLP(seeds, [observation + self.latent, hidden, hidden, action], name="decoder")

    def loss(self, observations: torch.Tensor, actions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the runs' losses, as ``(R,)``.

        Args:
            observations: As ``(R, B, observation)``.
            actions: In ``[-1, 1]``, as ``(R, B, action)``.
            noise: Of a standard normal distribution, as ``(R, B, latent)``.
        """
        code = self.encoder(torch.cat([observations, actions], dim=-1))
        mean, log_std = code.chunk(2, dim=-1)
        log_std = log_std.clamp(*LOG_STD_LIMITS)
        decoded = torch.tanh(self.decode(observations, mean + log_std.exp() * noise))
        divergence = 0.5 * (mean.square() + (2.0 * log_std).exp() - 1.0) - log_std
        return per_run((decoded - actions).square()) + DIVERGENCE_WEIGHT * per_run(divergence)

    def sample(self, observations: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return actions before tanh, as ``(R, B, action)``, from normal noise ``(R, B, latent)``, which is bounded."""
        return self.decode(observations, noise.clamp(-MOST_LATENT, MOST_LATENT))

    def decode(self, observations: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return actions before tanh, as ``(R, B, action)``."""
        return in_parts(self.decoder, torch.cat([observations, latents], dim=-1))
