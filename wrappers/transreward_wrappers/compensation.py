"""What a reward compensation is: one pure batched function of transitions, and how it learns.

A compensation sees transitions, never an agent. The wrapper owns when to call what.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from transreward_envs.methods import ActsIn
from transreward_envs.pairs import Pair, Role

Env = gym.Env[Any, Any]
Float = NDArray[np.float64]
RECENT = 1_024
"""Batches that running figures are of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transitions:
    """A batch of transitions; ``next_observation`` is the real last one at an episode's end."""

    observation: Float
    """As ``(B, observation_size)``."""

    action: Float
    """The agent's own actions, as ``(B, action_size)``."""

    reward: Float
    """The environment's own rewards, as ``(B,)``."""

    next_observation: Float
    """As ``(B, observation_size)``."""

    terminated: NDArray[np.bool_]
    """Whether the next state is terminal, as ``(B,)``; a truncated one is not."""

    domain: NDArray[np.int64]
    """0 for the source, 1 for the target, as ``(B,)``."""

    def __len__(self) -> int:
        return len(self.reward)

    def select(self, index: Any) -> Transitions:
        """Return the transitions at ``index``, a mask, a slice or positions."""
        return Transitions(**{field.name: getattr(self, field.name)[index] for field in dataclasses.fields(self)})


class Follower(ABC):
    """Pays for how an episode goes, in lanes that each have their own; all of one environment or vector environment."""

    @abstractmethod
    def start(self, lanes: NDArray[np.bool_]) -> None:
        """Begin an episode in some lanes, as ``(L,)``."""

    @abstractmethod
    def pay(self, batch: Transitions, lanes: NDArray[np.bool_]) -> Float:
        """Return what is paid for a transition in each of some lanes.

        Args:
            batch: The transitions, one for each lane in ``lanes``.
            lanes: Which lanes made one, as ``(L,)``.
        """

    def observe(self) -> Float:
        """Return the numbers >= 0 that are appended to each lane's observation, as ``(L, observed)``."""
        raise NotImplementedError(f"{type(self).__name__} has nothing to observe.")


class Compensation(ABC):
    """What is added to the environment's reward.

    Subclasses are dataclasses whose fields are the method's settings: they are the keywords of its training ids, and
    are kept by specs. ``__call__`` is all that a subclass must have; see ``docs/your-own-compensation.md``.
    """

    acts_in: ClassVar[ActsIn] = "target"
    """Whether the agent acts in the target alone or in both domains by turns."""

    @property
    def replaces(self) -> bool:
        """Whether it takes the place of the environment's reward, which it must not read then."""
        return False

    @property
    def follows(self) -> bool:
        """Whether what it pays hangs on the whole episode so far: :meth:`follower` pays then, not ``__call__``."""
        return False

    def check(self, pair: Pair) -> None:  # noqa: B027  # a hook
        """Raise ``ValueError`` if the compensation cannot serve a pair."""

    def bind(self, observation_size: int, action_size: int) -> None:  # noqa: B027  # a hook
        """Build what depends on the sizes of observation and action; called once, before all else."""

    def fit(self, source: Env, target: Env) -> None:  # noqa: B027  # a hook
        """Fit what is needed before the first step; the result is cached on disk through :meth:`save`.

        Args:
            source: The source domain, to be stepped freely.
            target: The target domain; its steps are not free, and a fit that takes some says so.
        """

    def fit_steps(self) -> dict[Role, int]:
        """Return the environment steps that :meth:`fit` takes in each domain; called after :meth:`bind`."""
        return {}

    def fit_key(self, pair: Pair) -> dict[str, Any]:
        """Return what a cached fit depends on, as JSON types."""
        return {"pair": pair.to_json(), "settings": self.settings()}

    @property
    def observed(self) -> int:
        """How many numbers >= 0 the follower appends to each observation."""
        return 0

    def follower(self, lanes: int) -> Follower:
        """Return what follows the episodes of lanes; asked for after the fit, where :attr:`follows` says so."""
        raise NotImplementedError(f"{type(self).__name__} follows no episodes.")

    def update(self, batch: Transitions) -> None:  # noqa: B027  # a hook
        """Learn from transitions that have just been compensated; what counts or anneals with steps does so here."""

    def reseed(self, seed: int) -> None:  # noqa: B027  # a hook
        """Start all random streams anew; called at a reset with a seed. What was learnt stays."""

    @abstractmethod
    def __call__(self, batch: Transitions) -> Float:
        """Return what to add to each reward, as ``(B,)`` in float64, and leave no trace.

        It is asked for what passes through and, again and in other batches, for what a replay buffer draws; what a
        transition gets does not hang on the others in its batch.
        """

    def passing(self, batch: Transitions) -> Float:
        """Return what to add to the reward of the one transition of each lane that passes through, before ``update``.

        It is :meth:`__call__` where nothing changes from one step of a lane to its next.
        """
        return self(batch)

    def save(self, path: Path) -> None:  # noqa: B027  # a hook
        """Write what was fitted and learnt to a file; without it there is nothing to keep, and no fit is cached."""

    def load(self, path: Path) -> None:  # noqa: B027  # a hook
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: It is not what was written.
        """

    def share(self, directory: Path) -> None:  # noqa: B027  # a hook
        """Learn together with other processes through a folder; called after :meth:`bind`, when asked for."""

    def diagnostics(self) -> dict[str, float]:
        """Return running figures for a logger."""
        return {}

    def settings(self) -> dict[str, Any]:
        """Return the settings, as JSON types."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}

    @property
    def fits(self) -> bool:
        """Whether the class has a :meth:`fit` of its own."""
        return type(self).fit is not Compensation.fit
