"""Ledgers of environment steps: who has spent how many in which domain, and what is left of the target's budget.

Steps in the target are reserved before they are taken, so that no budget is ever overspent, however many environments
draw on it. An episode in the target has one step reserved while it goes on, so that what is reserved tells how many do.
"""

from __future__ import annotations

import multiprocessing
from functools import cache
from typing import Any, Protocol

import gymnasium as gym

from transreward_envs.pairs import Role
from transreward_envs.training.shared_ledger import SharedLedger, with_budget


class Ledger(Protocol):
    """Counts steps and grants those of the target."""

    lanes: int
    """Environments of this process that share the ledger."""

    owner: str
    """What it is for, its budget included; only environments of one owner share a ledger."""

    @property
    def source_steps(self) -> int:
        """Steps taken in the source."""

    @property
    def target_steps(self) -> int:
        """Steps taken in the target."""

    @property
    def reserved(self) -> int:
        """Target steps set aside."""

    def count_source(self, steps: int) -> None:
        """Add steps taken in the source; others may see them at the next :meth:`flush` only."""

    def flush(self) -> None:
        """Show all steps to whoever shares the ledger."""

    def reserve(self, steps: int = 1) -> int:
        """Set target steps aside, and return how many; fewer than asked for where the budget has no more left."""

    def release(self, steps: int = 1) -> None:
        """Give reserved steps back."""

    def spend(self, steps: int = 1) -> None:
        """Turn reserved steps into taken ones."""

    def restore(self, source_steps: int, target_steps: int) -> None:
        """Set the counts, as when a run resumes; what is reserved stays so."""


class LocalLedger:
    """A ledger of one process.

    Args:
        target_budget: Target steps in all; no limit when ``None``.
        owner: What it is for.
    """

    def __init__(self, target_budget: int | None, *, owner: str = "") -> None:
        self._budget = target_budget
        self.owner = with_budget(owner, target_budget)
        self.lanes = 1
        self.reserved = 0
        self.restore(0, 0)

    def __getstate__(self) -> dict[str, Any]:
        """Reserve nothing in a copy: its episodes do not go on."""
        return {**self.__dict__, "reserved": 0}

    def restore(self, source_steps: int, target_steps: int) -> None:
        """Set the counts."""
        self.source_steps, self.target_steps = source_steps, target_steps

    def count_source(self, steps: int) -> None:
        """Add steps taken in the source."""
        self.source_steps += steps

    def flush(self) -> None:
        """Do nothing: nobody else looks on."""

    def reserve(self, steps: int = 1) -> int:
        """Set target steps aside, and return how many."""
        left = steps if self._budget is None else max(self._budget - self.target_steps - self.reserved, 0)
        granted = min(steps, left)
        self.reserved += granted
        return granted

    def release(self, steps: int = 1) -> None:
        """Give reserved steps back."""
        self.reserved -= steps

    def spend(self, steps: int = 1) -> None:
        """Turn reserved steps into taken ones."""
        self.reserved -= steps
        self.target_steps += steps


def target_is_due(ledger: Ledger, *, ratio: float, horizon: int, start_in: Role) -> bool:
    """Say whether the next episode of environments that share a ledger is a target one.

    It is where target steps < ratio * all steps; where both are equal, as before the first step, it is ``start_in``.
    Each other episode under way counts as one of full length, so that environments that start together do not all
    enter the target.

    Args:
        ledger: Their ledger; the episode to come has nothing reserved there yet.
        ratio: Share of all steps that the target gets.
        horizon: Steps of an episode of full length.
        start_in: The domain to start in.
    """
    target, others = ledger.target_steps, ledger.lanes - 1
    ahead = target + horizon * ledger.reserved
    goal = ratio * (ledger.source_steps + target + horizon * others)
    return ahead < goal or (ahead == goal and start_in == "target")


def open_ledger(target_budget: int | None, shared_state: str | None, *, owner: str) -> Ledger:
    """Return a ledger of this process, or one shared through the folder ``shared_state``.

    Raises:
        ValueError: The folder belongs to another owner or budget.
    """
    if shared_state is not None:
        ledger = SharedLedger(target_budget, shared_state, owner=owner)
        assert ledger.target_steps >= 0  # opens the file, so that a wrong folder is found at once
        return ledger
    if multiprocessing.current_process().daemon:
        _say_once_that_this_worker_is_alone()
    return LocalLedger(target_budget, owner=owner)


def require_one_owner(mine: Ledger, other: Ledger) -> None:
    """Check that environments may count steps, and spend a budget, together.

    Raises:
        ValueError: Their ledgers are for different things.
    """
    if mine.owner != other.owner:
        raise ValueError(
            "Environments that are joined have the same pair, schedule, time limit and target budget; got "
            f"{mine.owner}, and {other.owner}."
        )


@cache
def _say_once_that_this_worker_is_alone() -> None:
    gym.logger.warn(
        "This worker process has a target budget, and a learner, of its own. Pass `shared_state=DIR` to have all "
        "workers spend one budget and learn together."
    )
