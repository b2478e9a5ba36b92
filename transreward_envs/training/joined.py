"""Environments of one process that count together, spend one budget and learn together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gymnasium as gym
from gymnasium.vector import SyncVectorEnv

from transreward_envs.pairs import Role
from transreward_envs.training.ledger import Ledger

Env = gym.Env[Any, Any]


class HasEnvironments(Protocol):
    """A vector of environments in this process: Gymnasium's ``SyncVectorEnv``, or SB3's ``DummyVecEnv``."""

    @property
    def unwrapped(self) -> Any:
        """What has them as ``envs``."""


class JoinedEnvironments(SyncVectorEnv):
    """Environments that are stepped one by one and joined; what they share is told of all of them."""

    def __init__(self, make_each: Sequence[Callable[[], Env]], **settings: Any) -> None:
        super().__init__(make_each, **settings)
        join_environments(self)

    @property
    def ledger(self) -> Ledger:
        """What counts their steps."""
        ledger: Ledger = self.shared("ledger")
        return ledger

    def steps(self) -> dict[Role, int]:
        """Return the steps taken in each domain."""
        counts: dict[Role, int] = self.shared("steps")()
        return counts

    def restore_steps(self, *, source: int, target: int) -> None:
        """Set the counts of a run that resumes."""
        self.shared("restore_steps")(source=source, target=target)

    def shared(self, name: str) -> Any:
        """Return what all have in common by that name."""
        return self.envs[0].get_wrapper_attr(name)


def join_environments(envs: Sequence[Env] | HasEnvironments) -> None:
    """Have environments of one process count steps, spend one budget and learn together; plain domains are left alone.

    Call it before the first reset. Processes share through ``shared_state`` instead.

    Args:
        envs: A sequence, or a vector of them.

    Raises:
        TypeError: It is neither, such as lanes, which share already, or worker processes.
        ValueError: There is none; or they have another pair, method, settings or budget.
        RuntimeError: One has an episode under way.
    """
    singles = getattr(getattr(envs, "unwrapped", envs), "envs", envs)
    if not isinstance(singles, Sequence):
        raise TypeError(
            "Environments of one process are joined, as a list or in a vector that has them as `envs`; got "
            f"{type(envs).__name__}. Lanes of `make_vec` share already; worker processes do by `shared_state=DIR`."
        )
    if not singles:
        raise ValueError("At least one environment must be given to be joined with others; got none.")
    joining = [env for env in singles if env.has_wrapper_attr("join")]
    leaders = [env.get_wrapper_attr("join").__self__ for env in joining]
    if len(kinds := sorted({type(leader).__name__ for leader in leaders})) > 1:
        raise ValueError(f"Environments that are joined are of one method; these are wrapped by {' and '.join(kinds)}.")
    for env, leader in zip(joining[1:], leaders[1:], strict=True):
        if env.get_wrapper_attr("ledger") is not joining[0].get_wrapper_attr("ledger"):
            leader.join(leaders[0])
