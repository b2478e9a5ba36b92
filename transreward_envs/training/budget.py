"""A target domain with a budget of steps."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
from gymnasium.error import ResetNeeded
from gymnasium.utils import RecordConstructorArgs

from transreward_envs.errors import BudgetSpentError, require_count
from transreward_envs.training.ledger import Ledger, open_ledger, require_one_owner

Env = gym.Env[Any, Any]


class HasLedger(Protocol):
    """Whatever counts steps."""

    ledger: Ledger


class TargetBudget(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Truncate the episode in which the last step of the budget is taken, and refuse steps after it.

    ``info["budget_truncated"]`` tells such a truncation from one by time; an agent bootstraps it as any other.

    Args:
        env: The target domain.
        target_budget: Steps in all episodes together; no limit when ``None``.
        shared_state: Folder through which environments in several processes spend one budget.
        ledger: The ledger to use instead of one of its own; not recorded in specs.

    Raises:
        BudgetSpentError: A step is asked for after the last one.
        ResetNeeded: One is asked for while no episode is under way.
    """

    _reserved = False

    def __init__(
        self,
        env: Env,
        *,
        target_budget: int | None = None,
        shared_state: str | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        if target_budget is not None:
            require_count("target_budget", target_budget, at_least=1)
        RecordConstructorArgs.__init__(self, target_budget=target_budget, shared_state=shared_state)
        gym.Wrapper.__init__(self, env)
        self.ledger = ledger or open_ledger(target_budget, shared_state, owner="target domains")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode and reserve its first step."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.enter()
        return observation, {**info, "budget_truncated": False}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take the reserved step and reserve the next; truncate where there is none."""
        if not self._reserved:
            raise self._reason()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.ledger.spend()
        over = terminated or truncated
        self._reserved = not over and self.ledger.reserve() == 1
        budget_truncated = not over and not self._reserved
        info = {**info, "budget_truncated": budget_truncated}
        return observation, reward, terminated, truncated or budget_truncated, info

    def _reason(self) -> Exception:
        """Return why no step can be taken."""
        if self.enter():
            self.leave()
            return ResetNeeded("Cannot call `env.step()` while no episode is under way; call `env.reset()` first.")
        return BudgetSpentError(
            f"The target's budget is spent after {self.ledger.target_steps} steps. Raise `target_budget`, or stop "
            "training once `env.get_wrapper_attr('ledger').target_steps` has reached it."
        )

    def steps(self) -> dict[str, int]:
        """Return the steps taken in each domain, by all who share the ledger."""
        return {"source": self.ledger.source_steps, "target": self.ledger.target_steps}

    def restore_steps(self, *, source: int, target: int) -> None:
        """Set the counts of a run that resumes."""
        self.ledger.restore(source, target)

    def enter(self) -> bool:
        """Reserve the first step of an episode; ``False`` if the budget has none left."""
        self._reserved = self._reserved or self.ledger.reserve() == 1
        return self._reserved

    def leave(self) -> None:
        """Give the reserved step back, because the episode will not go on."""
        if self._reserved:
            self.ledger.release()
        self._reserved = False

    def join(self, other: HasLedger) -> None:
        """Spend one budget together with another environment of this process.

        Raises:
            ValueError: The other has another target or budget.
            RuntimeError: An episode is under way.
        """
        require_one_owner(self.ledger, other.ledger)
        if self._reserved:
            raise RuntimeError("Environments are joined before their first reset; this one has an episode under way.")
        self.ledger = other.ledger
        self.ledger.lanes += 1

    def __getstate__(self) -> dict[str, Any]:
        """Reserve nothing in a copy: its episode does not go on."""
        return {**self.__dict__, "_reserved": False}

    def close(self) -> None:
        """Give the reserved step back and close the domain."""
        self.leave()
        self.env.close()

    def __del__(self) -> None:
        """Give the reserved step back where the domain is dropped without being closed."""
        self.leave()
