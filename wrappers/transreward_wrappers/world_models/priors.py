"""The initial-state prior: from a short run of observations, however far apart, to a model's state at the last one.

A run of the source's observations has the source's pace and no actions of the target's. What such a run says about the
target model's state must not hang on its pace: the prior is temporally invariant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from transreward_envs.errors import require_non_negative
from transreward_wrappers.storage import Tensors
from transreward_wrappers.world_models.episodes import EpisodeStore
from transreward_wrappers.world_models.model import AnyModel
from transreward_wrappers.world_models.protocol import Values


@dataclass(frozen=True, kw_only=True, slots=True)
class StateGuess:
    """Gaussians over a model's states, one for each of ``B`` runs."""

    mean: torch.Tensor
    """As ``(B, state_size)``."""

    std: torch.Tensor
    """As ``(B, state_size)``."""

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return ``count`` draws for each run, as ``(B, count, state_size)``."""
        noise = torch.randn(len(self.mean), count, self.mean.shape[1], generator=generator)
        return self.mean[:, None] + self.std[:, None] * noise


class InitialStatePrior(Protocol):
    """From runs of observations to states."""

    kind: ClassVar[str]
    """Name by which it is chosen."""

    def fit(self, store: EpisodeStore, *, updates: int | None = None) -> float:
        """Learn from the target's episodes; return the share of the states' variance that held-out runs leave open.

        Args:
            store: The episodes.
            updates: Gradient steps; as many as the settings say when left out.
        """

    def __call__(self, observations: Values) -> StateGuess:
        """Return what runs of observations, as ``(B, L, observation_size)``, say of the states at their ends."""

    def tensors(self) -> Tensors:
        """Return all that was learnt."""

    def restore(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""


class IdentityPrior:
    """The last observation is the state, give or take what the model itself errs by in a step.

    Args:
        model: Whose states are observations.
        scale: Of the deviation, in units of the model's own error after one step [-]; 0 for no doubt.

    Raises:
        ValueError: The model's states are no observations, or ``scale`` is negative.
    """

    kind: ClassVar[str] = "identity"

    def __init__(self, model: AnyModel, *, scale: float = 1.0) -> None:
        require_non_negative("scale", scale)
        if model.state_size != model.observation_size:
            raise ValueError(
                f"The prior 'identity' is for models whose state is the observation; a state of {model.kind!r} has "
                f"{model.state_size} numbers, an observation {model.observation_size}. Take the prior 'lstm'."
            )
        self._model, self._scale = model, scale

    def fit(self, store: EpisodeStore, *, updates: int | None = None) -> float:
        """There is nothing to learn."""
        return 0.0

    def __call__(self, observations: Values) -> StateGuess:
        """Return the last observations and the model's error; see :class:`InitialStatePrior`."""
        mean = self._model.infer(observations)
        return StateGuess(mean=mean, std=(self._scale * self._model.network.scales.residual).expand_as(mean))

    def tensors(self) -> Tensors:
        """Return nothing."""
        return {}

    def restore(self, tensors: Tensors) -> None:
        """There is nothing to put back."""
