"""Stochastic policies of many runs: Gaussians that tanh squashes into the box of actions, as SAC has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from transreward_baselines.offline.stacked import StackedMLP
from transreward_baselines.offline.streams import Streams
from transreward_baselines.parts.squashed import squashed_log_density, within

LOG_STD_LIMITS = (-5.0, 2.0)
"""Between which log-deviations before squashing lie."""

EDGE = 1e-4
"""Of the box, within which an action counts as this far from its side: at the side itself no density is finite."""


class SquashedGaussian(nn.Module):
    """Policies a = tanh(u), u normal with mean and deviation by the observation, one for each of R runs.

    Args:
        seeds: Of each run's initial weights.
        sizes: Of an observation, of the hidden layers, and of an action.
        name: Which network of a run it is; those of other names start from other weights.
    """

    def __init__(self, seeds: Sequence[int], sizes: Sequence[int], *, name: str) -> None:
        super().__init__()
        self.network = StackedMLP(seeds, [*sizes[:-1], 2 * sizes[-1]], name=name)

    def law(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and log-deviations before squashing, as ``(R, B, action_size)`` each."""
        means, raw = self.network(observations).chunk(2, dim=-1)
        return means, within(raw, LOG_STD_LIMITS)

    def mean_action(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the squashed means, as ``(R, B, action_size)``."""
        return self.law(observations)[0].tanh()

    def sample(
        self, observations: torch.Tensor, streams: Streams, name: str, count: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return drawn actions and their log-densities; gradients pass through both.

        Args:
            observations: As ``(R, B, observation_size)``.
            streams: Of random numbers.
            name: Which of these to take.
            count: Draws at each observation.

        Returns:
            Actions as ``(R, count * B, action_size)``, in the order of ``observations.repeat(1, count, 1)``, and their
            log-densities [nats] as ``(R, count * B)``.
        """
        means, log_std = (part.repeat(1, count, 1) for part in self.law(observations))
        noise = streams.normal(name, *means.shape[1:])
        before = means + log_std.exp() * noise
        return before.tanh(), squashed_log_density(noise, log_std, before)

    def log_density(self, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the log-densities of actions ``(R, B, action_size)`` in the box [nats], as ``(R, B)``."""
        means, log_std = self.law(observations)
        before = actions.clamp(EDGE - 1.0, 1.0 - EDGE).atanh()
        return squashed_log_density((before - means) / log_std.exp(), log_std, before)


def divergence(policy: SquashedGaussian, other: SquashedGaussian, observations: torch.Tensor) -> torch.Tensor:
    """Return KL(policy, other) at each observation [nats], as ``(R, B)``; none of its gradient is the other's."""
    means, log_std = policy.law(observations)
    with torch.no_grad():
        other_means, other_log_std = other.law(observations)
    ratio = log_std - other_log_std
    distance = (means - other_means) / other_log_std.exp()
    return (0.5 * ((2.0 * ratio).exp() + distance.square() - 1.0) - ratio).sum(dim=-1)
