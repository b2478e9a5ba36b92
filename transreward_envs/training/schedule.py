"""Acting in the two domains of a pair by turns."""

from __future__ import annotations

from typing import Any, get_args

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from transreward_envs.errors import require_count, require_share, unknown
from transreward_envs.failures import FAILED
from transreward_envs.methods import ActsIn, require_one_robot
from transreward_envs.pairs import Pair, Role
from transreward_envs.training.budget import TargetBudget
from transreward_envs.training.ledger import open_ledger, require_one_owner, target_is_due
from transreward_envs.training.roles import DOMAIN_INDEX

Env = gym.Env[Any, Any]


class DomainSchedule(gym.Wrapper[Any, Any, Any, Any]):
    """Act in the source or the target of a pair, one episode at a time.

    At each reset the next episode is a target one iff target steps < ratio * all steps, and the target's budget is
    not spent; of environments that share their counts, the episode that each other one is in counts as a whole one.
    With ``acts_in="target"`` all are. ``info["domain"]`` is 0 in the source and 1 in the target. ``unwrapped`` and
    rendering are those of the domain that is active; both have one observation and one action space. A domain is made
    when it is first needed. An episode whose physics blows up is truncated and earns nothing by that step, as in lanes:
    ``info["physics_failed"]``; its last observation is not of that episode.

    Args:
        pair: The pair.
        acts_in: Both domains, or the target alone.
        target_ratio: Share of all steps that the target gets while its budget lasts.
        start_in: Domain of the first episode, or of the first lane's.
        target_budget: Target steps in all; no limit when ``None``.
        shared_state: Folder through which environments in several processes share counts and budget.
        time_limit: Steps per episode in both domains; the pair's own limits when ``None``.
        domain_kwargs: Keywords for the robot in both domains, such as ``render_mode``.

    Raises:
        ValueError: A setting breaks its rule, or both domains are to be acted in and have different robots.
    """

    def __init__(
        self,
        pair: Pair,
        *,
        acts_in: ActsIn = "both",
        target_ratio: float = 0.1,
        start_in: Role = "source",
        target_budget: int | None = None,
        shared_state: str | None = None,
        time_limit: int | None = None,
        **domain_kwargs: Any,
    ) -> None:
        if acts_in not in get_args(ActsIn):
            raise ValueError(unknown("setting of `acts_in`", acts_in, get_args(ActsIn)))
        require_one_robot(acts_in, pair)
        require_schedule(target_ratio, start_in)
        if time_limit is not None:
            require_count("time_limit", time_limit, at_least=1)
        if target_budget is not None:
            require_count("target_budget", target_budget, at_least=1)
        self.pair = pair
        owner = owner_of(pair, acts_in, target_ratio, start_in, time_limit)
        self.ledger = open_ledger(target_budget, shared_state, owner=owner)
        self._acts_in = acts_in
        self._target_ratio, self._start_in = target_ratio, start_in
        time_limit = time_limit and int(time_limit)  # of NumPy too
        self._domain_kwargs = {"max_episode_steps": time_limit, "disable_env_checker": True, **domain_kwargs}
        self._limits = {role: time_limit or pair.max_episode_steps(role) for role in DOMAIN_INDEX}
        self._domains: dict[Role, Env] = {}
        self._pending_seeds: dict[Role, int] = {}
        self._started = False
        self._first: Role = "source" if acts_in == "both" else "target"
        self.role: Role = self._first
        super().__init__(self._domain(self._first))
        if acts_in == "both" and any(name.startswith("shift_") for name in domain_kwargs):
            self._domain("target")  # whose own shifts may not go together with those
        # The same objects whichever domain is active, so that a seeded action space stays seeded.
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]  # as in Gymnasium's own wrappers
        """The spec that made the whole stack; its entry point sets the time limits, so it has none of its own."""
        spec: EnvSpec | None = self._domains[self._first].unwrapped.spec
        return spec

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Choose the next episode's domain and start it; a seed reaches both domains, each at its next reset."""
        if seed is not None:
            self._pending_seeds = dict.fromkeys(DOMAIN_INDEX, seed)
        self._started = True
        self.ledger.flush()
        self._enter(self._choose())
        observation, info = self.env.reset(seed=self._pending_seeds.pop(self.role, None), options=options)
        return observation, self._annotate(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the active domain."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self.role == "source":
            self.ledger.count_source(1)
            if terminated or truncated:
                self.ledger.flush()
        return observation, reward, terminated, truncated, self._annotate(info)

    def steps(self) -> dict[Role, int]:
        """Return the steps taken in each domain, by all who share the ledger."""
        self.ledger.flush()
        return {"source": self.ledger.source_steps, "target": self.ledger.target_steps}

    def restore_steps(self, *, source: int, target: int) -> None:
        """Set the counts of a run that resumes."""
        self.ledger.restore(source, target)

    def join(self, other: DomainSchedule) -> None:
        """Count steps, and spend the budget, together with another schedule of this process.

        Raises:
            ValueError: The other has another pair, schedule or budget.
            RuntimeError: An episode has been started.
        """
        require_one_owner(self.ledger, other.ledger)
        if self._started:
            raise RuntimeError("Environments are joined before their first reset; this one has been reset.")
        self.ledger = other.ledger
        self.ledger.lanes += 1
        if isinstance(target := self._domains.get("target"), TargetBudget):
            target.ledger = self.ledger

    def close(self) -> None:
        """Close every domain that was made."""
        self.ledger.flush()
        for domain in self._domains.values():
            domain.close()

    def _choose(self) -> Role:
        """Return the domain of the next episode."""
        if self._acts_in == "target":
            return "target"
        if isinstance(before := self._domains.get("target"), TargetBudget):
            before.leave()
        horizon = max(self._limits.values())
        if not target_is_due(self.ledger, ratio=self._target_ratio, horizon=horizon, start_in=self._start_in):
            return "source"
        wrapper = self._domain("target")
        assert isinstance(wrapper, TargetBudget)
        return "target" if wrapper.enter() else "source"

    def _enter(self, role: Role) -> None:
        """Make ``role`` the active domain."""
        self.env = self._domain(role)
        self.env.unwrapped.spec = self._domains[self._first].unwrapped.spec
        self.role = role

    def _domain(self, role: Role) -> Env:
        """Return a domain, made on first use."""
        if role not in self._domains:
            domain = self.pair.make(role, **self._domain_kwargs)
            self._domains[role] = domain if role == "source" else TargetBudget(domain, ledger=self.ledger)
            if (first := self._domains[self._first]).observation_space != domain.observation_space:
                raise ValueError(
                    f"Both domains of a pair must have one observation space; {self.pair.name} has "
                    f"{first.observation_space} and {domain.observation_space}."
                )
        return self._domains[role]

    def _annotate(self, info: dict[str, Any]) -> dict[str, Any]:
        return {"budget_truncated": False, FAILED: False, **info, "domain": DOMAIN_INDEX[self.role]}


def require_schedule(target_ratio: float, start_in: str) -> None:
    """Check the settings of a schedule by turns.

    Raises:
        ValueError: One breaks its rule.
    """
    require_share("target_ratio", target_ratio)
    if start_in not in DOMAIN_INDEX:
        raise ValueError(unknown("domain to start in", start_in, DOMAIN_INDEX))


def owner_of(pair: Pair, acts_in: ActsIn, target_ratio: float, start_in: Role, time_limit: int | None) -> str:
    """Return what environments that share counts have in common."""
    return (
        f"{pair.name}, acting in {acts_in}, ratio {target_ratio}, starting in the {start_in}, time limit {time_limit},"
    )
