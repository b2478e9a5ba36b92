"""What trains many runs at once: the agent that an algorithm's file makes, and what it may have beside updates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.streams import Streams


class OfflineAgent(Protocol):
    """R policies that learn from batches."""

    networks: torch.nn.ModuleDict
    """All networks."""

    optimizers: dict[str, torch.optim.Optimizer]
    """All optimisers."""

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a gradient step; return figures of it, as ``(R,)`` each."""

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actions to be evaluated, ``(R, B, action_size)`` in ``[-1, 1]``, on normalised observations."""


@runtime_checkable
class Prepares(Protocol):
    """An agent that has something to do before its first gradient step."""

    def prepare(self, directory: Path | None) -> None:
        """Do it, and keep in the directory what need not be done again."""


@runtime_checkable
class Imitates(Protocol):
    """An agent whose values do not count at first."""

    first_steps: int
    """Gradient steps; a run that goes on keeps those that it began with."""


@runtime_checkable
class Schedules(Protocol):
    """An agent whose learning rates depend on how far it has come."""

    def schedule(self, step: int) -> None:
        """Set them for a gradient step, the first of which is 0."""


@runtime_checkable
class Explores(Protocol):
    """An agent whose policies draw their actions; of others, noise is added to what they do."""

    def explore(self, observations: torch.Tensor) -> torch.Tensor:
        """Return drawn actions, as ``(R, B, action_size)``."""


@runtime_checkable
class Revises(Protocol):
    """An agent that must look at fresh episodes as a whole before it can learn from their transitions."""

    def revise(self) -> None:
        """Look at all that is drawn from."""


MakeAgent = Callable[[Any, OfflineData, Streams], OfflineAgent]
