"""What ``gymnasium.make_vec`` calls for the ids of a pair: lanes that step together, wherever their models allow it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from gymnasium.vector import SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from transreward_envs.batched.checks import episode_limit
from transreward_envs.batched.domain import VECTOR_KEYWORDS, BatchedDomain
from transreward_envs.batched.engine import SizesDifferError
from transreward_envs.batched.lanes import TurningLane, make_lanes
from transreward_envs.batched.tasks import TASKS
from transreward_envs.errors import require_count, unknown
from transreward_envs.methods import ActsIn, require_one_robot
from transreward_envs.pairs import Pair, Role
from transreward_envs.training.entry_points import (
    Env,
    check_keywords,
    make_mixture,
    make_target,
    owner_of_target,
    require_shared_budget,
    resolve_pair,
)
from transreward_envs.training.joined import JoinedEnvironments
from transreward_envs.training.lanes import ScheduledLanes
from transreward_envs.training.ledger import open_ledger
from transreward_envs.training.schedule import owner_of, require_schedule

Lanes = VectorEnv[Any, Any, Any]


def make_target_lanes(
    *,
    num_envs: int,
    robot: str,
    max_episode_steps: int | None = None,
    target_budget: int | None = None,
    shared_state: str | None = None,
    **kwargs: Any,
) -> Lanes:
    """Make lanes of a target domain, with one budget of steps if it is given."""
    require_shared_budget(target_budget, shared_state)
    require_count("num_envs", num_envs, at_least=1)
    if robot not in TASKS:
        vector, budget = one_by_one(pop_vector_keywords(kwargs)), {"target_budget": target_budget}
        one = partial(
            _make_limited_target, max_episode_steps, robot=robot, shared_state=shared_state, **budget, **kwargs
        )
        return (SyncVectorEnv if target_budget is None else JoinedEnvironments)([one] * num_envs, **vector)
    if target_budget is None:
        return BatchedDomain(num_envs=num_envs, robot=robot, max_episode_steps=max_episode_steps, **kwargs)
    require_count("target_budget", target_budget, at_least=1)
    if kwargs.pop("lane_shifts", None) is not None:
        raise ValueError("Lanes that spend a budget together have one target; give `shift` in place of `lane_shifts`.")
    vector = pop_vector_keywords(kwargs)
    return ScheduledLanes(
        _turning_lanes(robot, num_envs, {"target": kwargs}),
        robot=robot,
        ledger=open_ledger(target_budget, shared_state, owner=owner_of_target(robot, kwargs)),
        limits={"target": episode_limit(max_episode_steps)},
        **vector,
    )


def make_mixture_lanes(*, num_envs: int, pair: str | Mapping[str, Any], **kwargs: Any) -> Lanes:
    """Make lanes of the control of every method; keywords as for one, and those of lanes."""
    the_pair, vector = resolve_pair(pair), pop_vector_keywords(kwargs)
    check_keywords(the_pair, kwargs, more=VECTOR_KEYWORDS)
    try:
        return make_scheduled_lanes(the_pair, num_envs, **vector, **kwargs)
    except SizesDifferError:
        return JoinedEnvironments([partial(make_mixture, pair=pair, **kwargs)] * num_envs, **one_by_one(vector))


def make_scheduled_lanes(
    pair: Pair,
    num_envs: int,
    *,
    acts_in: ActsIn = "both",
    target_ratio: float = 0.1,
    start_in: Role = "source",
    target_budget: int | None = None,
    shared_state: str | None = None,
    time_limit: int | None = None,
    autoreset_mode: Any = "NextStep",
    threads: int = 0,
    copy: bool = True,
    **domain_kwargs: Any,
) -> ScheduledLanes:
    """Make lanes that act in a pair; keywords as for :class:`~transreward_envs.training.schedule.DomainSchedule`.

    Raises:
        SizesDifferError: Source and target cannot step together, or nothing that steps lanes knows the robot.
        ValueError: A setting breaks its rule, or both domains are to be acted in and have different robots.
    """
    require_one_robot(acts_in, pair)
    require_count("num_envs", num_envs, at_least=1)
    require_schedule(target_ratio, start_in)
    for name, value in {"time_limit": time_limit, "target_budget": target_budget}.items():
        if value is not None:
            require_count(name, value, at_least=1)
    if pair.robot not in TASKS:
        raise SizesDifferError(unknown("robot that steps in lanes", pair.robot, TASKS))
    roles: tuple[Role, ...] = ("source", "target") if acts_in == "both" else ("target",)
    lanes = _turning_lanes(pair.robot, num_envs, {role: {**pair.kwargs(role), **domain_kwargs} for role in roles})
    owner = owner_of(pair, acts_in, target_ratio, start_in, time_limit)
    return ScheduledLanes(
        lanes,
        robot=pair.robot,
        ledger=open_ledger(target_budget, shared_state, owner=owner),
        limits={role: time_limit or pair.max_episode_steps(role) for role in roles},
        target_ratio=target_ratio,
        start_in=start_in,
        autoreset_mode=autoreset_mode,
        threads=threads,
        copy=copy,
    )


def pop_vector_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    """Take the keywords of lanes out of those of an environment."""
    return {name: keywords.pop(name) for name in VECTOR_KEYWORDS if name in keywords}


def one_by_one(vector: Mapping[str, Any]) -> dict[str, Any]:
    """Return those keywords of lanes that mean something where environments are stepped one by one."""
    return {name: value for name, value in vector.items() if name != "threads"}


def _make_limited_target(max_episode_steps: int | None, **kwargs: Any) -> Env:
    """Return one target domain with its time limit, which `gym.make` sets where it makes one."""
    target = make_target(**kwargs)
    return target if max_episode_steps is None else TimeLimit(target, max_episode_steps)


def _turning_lanes(robot: str, count: int, domains: Mapping[Role, Mapping[str, Any]]) -> list[TurningLane]:
    """Return lanes that can enter each of the domains, which are given by their keywords."""
    made = {}
    for role, keywords in domains.items():
        own = dict(keywords)
        made[role] = make_lanes(robot, [own.pop("shift", ())] * count, own)
    return [TurningLane({role: lanes[index] for role, lanes in made.items()}) for index in range(count)]
