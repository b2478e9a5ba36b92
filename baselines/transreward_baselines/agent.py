"""What a run trains, evaluates and keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from gymnasium.spaces import Box

from transreward_baselines.evaluation import Policy
from transreward_wrappers.policies import scale_actions
from transreward_wrappers.storage import Tensors


class PolicyData(Protocol):
    """A policy as data."""

    def save(self, path: Path) -> None:
        """Write it to a file."""


class Agent(Protocol):
    """What is trained, evaluated and kept."""

    def act(self, observations: Any) -> Any:
        """Return the deterministic actions in ``[-1, 1]``, as ``(B, action_size)``."""

    def export(self, about: Mapping[str, Any]) -> PolicyData:
        """Return the policy as it is now, as data."""

    def files(self) -> dict[str, Tensors]:
        """Return all that training changes, by the name of the file to keep it in."""

    def load(self, files: Mapping[str, Tensors]) -> None:
        """Put back what :meth:`files` returned."""


@runtime_checkable
class Remembers(Protocol):
    """An agent whose actions depend on what it saw and did before in an episode."""

    def begin(self) -> Policy:
        """Return what acts deterministically, in ``[-1, 1]``, in episodes that begin with what it is shown first."""


def beginning(agent: Agent, space: Box) -> Policy:
    """Return the policy of an agent for episodes that begin now, from raw observations to actions of a space."""
    act = agent.begin() if isinstance(agent, Remembers) else agent.act
    return lambda observations: scale_actions(act(observations), space)
