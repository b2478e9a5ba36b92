"""What a world model is: it sees observations, and imagines those that actions would lead to.

A state is a vector: of the ensemble the observation itself, of the recurrent model its belief and what it makes of the
last observation. Observations are in the domain's own units, actions in ``[-1, 1]``; spreads are in standard deviations
of observations. All tensors are float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

from transreward_wrappers.world_models.episodes import EpisodeStore
from transreward_wrappers.world_models.report import ModelReport

Values = NDArray[Any] | torch.Tensor


class Imagines(Protocol):
    """What planning asks of a world model."""

    @property
    def action_size(self) -> int:
        """Return the length of an action."""

    @property
    def report(self) -> ModelReport | None:
        """Return what is known of the model from held-out data."""

    def rollout(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Imagine what actions lead to.

        Args:
            states: Where from, as ``(N, state_size)`` or ``(1, state_size)``.
            actions: In ``[-1, 1]``, as ``(N, H, action_size)``.

        Returns:
            Observations, one after each action, as ``(N, H, observation_size)``, and how unsure the model is of them
            [observation standard deviations], as ``(N, H)``.
        """

    def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Imagine as :meth:`rollout` does, but in less time and less well, and without a spread."""


class WorldModel(Imagines, Protocol):
    """A model of a domain."""

    kind: str
    """Name by which it is chosen."""

    @property
    def observation_size(self) -> int:
        """Return the length of an observation."""

    @property
    def state_size(self) -> int:
        """Return the length of a state."""

    def infer(self, observations: Values, actions: Values | None = None) -> torch.Tensor:
        """Return the states at the ends of runs of observations, as ``(B, state_size)``.

        Args:
            observations: As ``(B, L, observation_size)``.
            actions: Between them, in ``[-1, 1]``, as ``(B, L - 1, action_size)``; ``None`` where nobody knows them.
        """

    def fit(self, store: EpisodeStore, *, updates: int | None = None, afresh: bool = True) -> ModelReport:
        """Learn from episodes, with a progress bar, and judge by those that were held out."""

    def save(self, path: Path | str) -> None:
        """Write the model to a file."""

    def load(self, path: Path | str, *, data: str | None = None) -> None:
        """Read a model of the same kind, sizes, settings and domain from a file."""
