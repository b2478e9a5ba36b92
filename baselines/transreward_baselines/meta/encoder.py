"""Inferring a task from transitions: a product of Gaussians, as in PEARL (Rakelly et al., 2019, arXiv:1903.08254).

    q(z | c_1, ..., c_n)  ~  prod_i N(z; mu(c_i), sigma^2(c_i))

in any order of the transitions c_i; against a standard normal prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from transreward_wrappers.networks import EnsembleMLP

LEAST_VARIANCE = 1e-7


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """What is believed of ``B`` tasks: a Gaussian with a variance in each dimension."""

    mean: torch.Tensor
    """As ``(B, latent_size)``."""

    variance: torch.Tensor
    """As ``(B, latent_size)``."""

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """Return a latent task of each, through which gradients pass, as ``(B, latent_size)``."""
        noise = torch.randn(self.mean.shape, generator=generator).to(self.mean.device)
        return self.mean + self.variance.sqrt() * noise

    def divergence(self) -> torch.Tensor:
        """Return the divergence from the prior, ``KL(q, N(0, 1))`` [nats], as ``(B,)``."""
        terms = self.variance + self.mean.square() - 1.0 - self.variance.log()
        return 0.5 * terms.sum(dim=-1)


def prior(tasks: int, latent_size: int, device: torch.device) -> Posterior:
    """Return what is believed of tasks of which nothing was seen: a standard normal."""
    zeros = torch.zeros(tasks, latent_size, device=device)
    return Posterior(mean=zeros, variance=torch.ones_like(zeros))


def product(means: torch.Tensor, variances: torch.Tensor, mask: torch.Tensor | None = None) -> Posterior:
    """Return the normalised product of Gaussians, whose precisions add up.

    Args:
        means: As ``(B, n, latent_size)``.
        variances: As ``(B, n, latent_size)``.
        mask: Which factors there are, at least one of each task, as ``(B, n)``; all when left out.
    """
    precisions = 1.0 / variances
    if mask is not None:
        precisions = precisions * mask[..., None]
    variance = 1.0 / precisions.sum(dim=-2)
    return Posterior(mean=variance * (precisions * means).sum(dim=-2), variance=variance)


class ContextEncoder(nn.Module):
    """Maps each transition to a Gaussian of the latent task, and all of them to their product.

    Args:
        transition_size: Numbers of a transition: observation, action, reward and change of the observation.
        hidden: Units in each of the two hidden layers.
        latent_size: Of the latent task.
    """

    def __init__(self, transition_size: int, hidden: int, latent_size: int) -> None:
        super().__init__()
        self.network = EnsembleMLP(1, [transition_size, hidden, hidden, 2 * latent_size])

    def forward(self, context: torch.Tensor, mask: torch.Tensor | None = None) -> Posterior:
        """Return what is believed after a context.

        Args:
            context: As ``(B, n, transition_size)``.
            mask: Which transitions there are, as ``(B, n)``.
        """
        flat = self.network(context.flatten(0, 1)[None])[0].view(*context.shape[:2], -1)
        means, raw = flat.chunk(2, dim=-1)
        return product(means, functional.softplus(raw).clamp(min=LEAST_VARIANCE), mask)
