"""Lanes that act in the domains of a pair by turns, and spend one budget of target steps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.infos import Info
from transreward_envs.batched.lanes import TurningLane
from transreward_envs.batched.stepper import Bools
from transreward_envs.batched.vector_env import BatchedEnv
from transreward_envs.errors import BudgetSpentError
from transreward_envs.pairs import Role
from transreward_envs.training.episodes import EpisodeSums
from transreward_envs.training.ledger import Ledger, target_is_due
from transreward_envs.training.roles import DOMAIN_INDEX, STATISTICS_KEY

Array = NDArray[np.float64]


class ScheduledLanes(BatchedEnv):
    """Lanes that choose their domain at each reset, as ``DomainSchedule`` does for one environment.

    Lanes with a source and a target act in both: a lane's next episode is a target one iff target steps < ratio * all
    steps, where the episode that each other lane is in counts as a whole one, and the budget is not spent. Lanes with
    a target alone act there. A target episode is truncated where the budget ends, and no budget is overspent:
    ``info["budget_truncated"]``. Lanes that cannot act in the source end together, with fewer steps left than there
    are lanes.

    ``info["domain"]`` is that of the observation, and ``info["final_info"]["domain"]`` that of the episode that ended;
    ``info["episode_env"]`` has return, length and time of episodes that end.

    Args:
        lanes: The lanes, with domains named ``source`` and ``target``, or the latter alone.
        ledger: Counts their steps, and knows the target's budget.
        limits: Time limit of each domain [agent steps].
        target_ratio: Share of all steps that the target gets while its budget lasts.
        start_in: Domain of the first episode, or of the first lane's.
        kwargs: As for :class:`~transreward_envs.batched.vector_env.BatchedEnv`.

    Raises:
        SizesDifferError: Models of source and target differ in their sizes.
        ValueError: The domains' observation spaces differ.
    """

    def __init__(
        self,
        lanes: Sequence[TurningLane],
        *,
        ledger: Ledger,
        limits: Mapping[Role, int | None],
        target_ratio: float = 0.1,
        start_in: Role = "source",
        **kwargs: Any,
    ) -> None:
        super().__init__(list(lanes), **kwargs)
        self._turning, self._by_turns = lanes, set(limits) == set(DOMAIN_INDEX)
        self.ledger, self._target_ratio, self._start_in = ledger, target_ratio, start_in
        self.ledger.lanes = self.num_envs
        endless = int(np.iinfo(np.int64).max)
        self._limit_of = {role: limit or endless for role, limit in limits.items()}
        self._in_target = np.zeros(self.num_envs, dtype=np.bool_)
        self._reserved = np.zeros(self.num_envs, dtype=np.bool_)
        self._episodes = EpisodeSums(self.num_envs)
        require_alike(lanes, self._engine)

    def steps(self) -> dict[Role, int]:
        """Return the steps taken in each domain, by all who share the ledger."""
        self.ledger.flush()
        return {"source": self.ledger.source_steps, "target": self.ledger.target_steps}

    def restore_steps(self, *, source: int, target: int) -> None:
        """Set the counts of a run that resumes."""
        self.ledger.restore(source, target)

    def close_extras(self, **kwargs: Any) -> None:
        """Give what is reserved back, and close the domains; in a forked process, nothing."""
        if os.getpid() == self._owner:
            self.ledger.flush()
            self._give_back()
        super().close_extras(**kwargs)

    def __del__(self) -> None:
        """Give what is reserved back where the lanes are dropped without being closed."""
        if "_reserved" in vars(self) and os.getpid() == self._owner:
            self._give_back()

    def _give_back(self) -> None:
        self.ledger.release(int(self._reserved.sum()))
        self._reserved[:] = False

    def _before_start(self, lane: int) -> dict[str, Any]:
        """Choose the domain of a lane's next episode, and reserve its first step."""
        self.ledger.flush()
        if self._reserved[lane]:  # the episode was left before its end
            self.ledger.release()
            self._reserved[lane] = False
        role = self._choose(lane)
        self._turning[lane].enter(role)
        self._in_target[lane] = role == "target"
        self._limits[lane] = self._limit_of[role]
        self._episodes.start(lane)
        return {"domain": DOMAIN_INDEX[role], "budget_truncated": False}

    def _choose(self, lane: int) -> Role:
        """Return the domain of a lane's next episode; in the target, a step is reserved if there is one."""
        horizon = max(self._limit_of.values())
        if self._by_turns and not target_is_due(
            self.ledger, ratio=self._target_ratio, horizon=horizon, start_in=self._start_in
        ):
            return "source"
        self._reserved[lane] = self.ledger.reserve() == 1
        return "target" if self._reserved[lane] or not self._by_turns else "source"

    def _before_step(self, stepping: Bools) -> None:
        """Refuse target steps that the budget does not have."""
        if (stepping & self._in_target & ~self._reserved).any():
            raise BudgetSpentError(
                f"The target's budget is spent after {self.ledger.target_steps} steps, or what is left is less than a "
                f"step for each of the {self.num_envs} lanes. Raise `target_budget`, or stop training once "
                "`env.steps()` shows it."
            )

    def _after_step(self, stepping: Bools, rewards: Array, terminated: Bools, truncated: Bools, infos: Info) -> Bools:
        """Count the step, reserve the next ones, and truncate the episodes that get none."""
        acted = stepping & self._in_target
        self.ledger.count_source(int((stepping & ~acted).sum()))
        cut = np.zeros(self.num_envs, dtype=np.bool_)
        if acted.any():
            self.ledger.spend(int(acted.sum()))
            self._reserved[acted] = False
            over = terminated | truncated
            starting = acted & over
            if self.autoreset_mode == AutoresetMode.NEXT_STEP:
                starting = ~(stepping | self._resting)
            cut = self._reserve(acted & ~over, starting)
            truncated = truncated | cut
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        infos["domain"], infos["_domain"] = self._in_target.astype(np.int64), everyone
        infos["budget_truncated"], infos["_budget_truncated"] = cut, everyone
        self._episodes.add(rewards, stepping)
        self._episodes.tell(infos, STATISTICS_KEY, terminated | truncated)
        return truncated

    def _reserve(self, going: Bools, starting: Bools) -> Bools:
        """Reserve the next step of the target episodes that go on, and return which get none.

        Lanes that cannot act in the source step together or not at all, those among them that start an episode first.
        """
        wanted = going if self._by_turns else going | starting
        count = int(wanted.sum())
        granted = self.ledger.reserve(count)
        if granted < count and not self._by_turns:
            self.ledger.release(granted)
            granted = 0
        self._reserved[np.flatnonzero(wanted)[:granted]] = True
        return going & ~self._reserved


def require_alike(lanes: Sequence[TurningLane], engine: Engine) -> None:
    """Check that each lane can enter each of its domains.

    Raises:
        SizesDifferError: Their models differ in their sizes.
        ValueError: Their observation spaces differ.
    """
    now = engine.models
    for name, first in lanes[0].domains.items():
        if (theirs := lanes[0].domain.observation_space) != first.observation_space:
            raise ValueError(
                "Both domains of a pair must have one observation space; those of lanes have "
                f"{theirs} and {first.observation_space}."
            )
        engine.set_models([lane.domains[name].model for lane in lanes])
    engine.set_models(now)
