"""What ``gymnasium.make`` calls for the ids of a pair."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import RecordEpisodeStatistics

from transreward_envs.errors import unknown
from transreward_envs.pairs import Pair, get_pair
from transreward_envs.robots import get_robot
from transreward_envs.training.budget import TargetBudget
from transreward_envs.training.ledger import open_ledger
from transreward_envs.training.roles import STATISTICS_KEY
from transreward_envs.training.schedule import DomainSchedule

Env = gym.Env[Any, Any]


def make_target(*, robot: str, target_budget: int | None = None, shared_state: str | None = None, **kwargs: Any) -> Env:
    """Make a target domain, with a budget of steps if one is given; the time limit goes around it."""
    require_shared_budget(target_budget, shared_state)
    domain: Env = get_robot(robot).domain()(**kwargs)
    if target_budget is None:
        return domain
    ledger = open_ledger(target_budget, shared_state, owner=owner_of_target(robot, kwargs))
    return TargetBudget(domain, target_budget=target_budget, shared_state=shared_state, ledger=ledger)


def require_shared_budget(target_budget: int | None, shared_state: str | None) -> None:
    """Raise ``ValueError`` if a target domain is to share a budget that it does not have."""
    if shared_state is not None and target_budget is None:
        raise ValueError(
            f"A `shared_state` is a folder through which targets spend one budget; got {shared_state!r} and no "
            "`target_budget`. Give one, or leave the folder out."
        )


def owner_of_target(robot: str, keywords: Mapping[str, Any]) -> str:
    """Return what target domains that share a budget have in common."""
    from transreward_envs.robots.keywords import SHIFTING, plain_json  # needs MuJoCo

    shifting = {name: plain_json(keywords[name]) for name in SHIFTING if keywords.get(name)}
    return f"the target of {robot} with {json.dumps(shifting, sort_keys=True)},"


def make_mixture(*, pair: str | Mapping[str, Any], **schedule: Any) -> Env:
    """Make the control of every method: both domains by turns, their own rewards.

    Args:
        pair: Name of a registered pair, or ``Pair.to_json()`` of any.
        schedule: Keywords of :class:`~transreward_envs.training.schedule.DomainSchedule`.
    """
    the_pair = resolve_pair(pair)
    check_keywords(the_pair, schedule)
    return RecordEpisodeStatistics(DomainSchedule(the_pair, **schedule), stats_key=STATISTICS_KEY)


def check_keywords(pair: Pair, keywords: Mapping[str, Any], *, more: Iterable[str] = ()) -> None:
    """Raise ``ValueError`` for a keyword that neither the schedule nor the robot has, nor is one of ``more``."""
    require_meaning(keywords)
    from transreward_envs.robots.keywords import keyword_names  # needs MuJoCo

    names = keyword_names(DomainSchedule) | keyword_names(get_robot(pair.robot).domain())
    valid = (names | set(more)) - {"env", "pair", "acts_in", "domain_kwargs", "shift", "ledger"}
    for name in keywords:
        if name not in valid:
            raise ValueError(unknown("keyword", name, valid))


def require_meaning(keywords: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for a keyword that domains have, but a training id cannot take."""
    if "shift" in keywords or "lane_shifts" in keywords:
        name = "shift" if "shift" in keywords else "lane_shifts"
        raise ValueError(
            f"A training id has two domains, so `{name}` alone is ambiguous. Make a pair instead: "
            "gym.make(id, pair=transreward_envs.make_pair(robot, shifts).to_json())."
        )
    if "max_episode_steps" in keywords:
        raise ValueError(
            "A training id sets the time limit inside, where compensation sees it. Give `time_limit` in place of "
            "`max_episode_steps`."
        )


def resolve_pair(pair: str | Mapping[str, Any] | Pair) -> Pair:
    """Return the pair meant by a name, by JSON types, or by itself.

    Raises:
        ValueError: No pair of that name is registered.
    """
    if isinstance(pair, Pair):
        return pair
    return get_pair(pair) if isinstance(pair, str) else Pair.from_json(pair)


RENDER_METADATA = {"render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]}
make_target.metadata = RENDER_METADATA  # type: ignore[attr-defined]  # read by gymnasium.make
make_mixture.metadata = RENDER_METADATA  # type: ignore[attr-defined]
