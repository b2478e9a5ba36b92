"""SAC that acts and values in latent tasks: Haarnoja et al. 2018 (arXiv:1812.05905)."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from transreward_baselines.parts.squashed import squashed_log_density, within
from transreward_baselines.sac import make_network
from transreward_wrappers.networks import EnsembleMLP

LOG_STD_LIMITS = (-5.0, 2.0)
EDGE = 1e-4
"""Of the box of actions, within which an action counts as this far from its side: there no density is finite."""

Law = tuple[torch.Tensor, torch.Tensor]
"""Means and log-deviations of actions before squashing, as ``(n, action_size)`` each."""


class LatentActorCritic(nn.Module):
    """Policy, twin critics with their targets, and temperature; observations come with latent tasks.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        latent_size: Of a latent task; 0 for none.
        hidden: Width of the two hidden layers of each network.
        temperature: Of the entropy bonus, before any of it is learned [reward / nat].
    """

    def __init__(
        self, observation_size: int, action_size: int, *, latent_size: int, hidden: int, temperature: float
    ) -> None:
        super().__init__()
        self.action_size = action_size
        inputs = observation_size + latent_size
        self.policy = make_network(inputs, hidden, 2 * action_size)
        self.critics = EnsembleMLP(2, [inputs + action_size, hidden, hidden, 1])
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.full((1,), math.log(temperature)))

    @property
    def temperature(self) -> torch.Tensor:
        """The temperature as it is now, without its gradient, as ``(1,)``."""
        return self.log_temperature.detach().exp()

    def law(self, observations: torch.Tensor, latents: torch.Tensor) -> Law:
        """Return the policy's law of actions in latent tasks, ``(n, latent_size)``."""
        means, raw = self.policy(torch.cat([observations, latents], dim=-1)).chunk(2, dim=-1)
        return means, within(raw, LOG_STD_LIMITS)

    def draw(self, law: Law, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return drawn actions as ``(n, action_size)``, and their log-densities [nats] as ``(n,)``."""
        means, log_std = law
        noise = torch.randn(means.shape, generator=generator).to(means.device)
        before = means + log_std.exp() * noise
        return before.tanh(), squashed_log_density(noise, log_std, before)

    def log_density(self, law: Law, actions: torch.Tensor) -> torch.Tensor:
        """Return the log-densities of given actions [nats], as ``(n,)``."""
        means, log_std = law
        before = actions.clamp(EDGE - 1.0, 1.0 - EDGE).atanh()
        return squashed_log_density((before - means) / log_std.exp(), log_std, before)

    def values(self, observations: torch.Tensor, actions: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return both critics' values of actions, as ``(2, n)``."""
        return _ask(self.critics, observations, actions, latents)

    def slow_values(self, observations: torch.Tensor, actions: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return both target critics' values of actions, as ``(2, n)``."""
        return _ask(self.targets, observations, actions, latents)

    @torch.no_grad()
    def state_values(
        self, observations: torch.Tensor, latents: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return ``V(s) = min Q(s, a) - alpha log pi(a | s)`` of a drawn action, as ``(n,)``."""
        actions, log_densities = self.draw(self.law(observations, latents), generator)
        least = self.slow_values(observations, actions, latents).amin(dim=0)
        return least - self.temperature * log_densities

    @torch.no_grad()
    def follow(self, share: float) -> None:
        """Move the target critics by a share of the way towards the critics."""
        torch._foreach_lerp_(list(self.targets.parameters()), list(self.critics.parameters()), share)


def _ask(
    critics: EnsembleMLP, observations: torch.Tensor, actions: torch.Tensor, latents: torch.Tensor
) -> torch.Tensor:
    inputs = torch.cat([observations, actions, latents], dim=-1)
    values: torch.Tensor = critics(inputs.expand(2, -1, -1))[..., 0]
    return values
