"""What ``gymnasium.make`` calls for a training id with compensation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics

from transreward_envs.batched.domain import VECTOR_KEYWORDS
from transreward_envs.batched.engine import SizesDifferError
from transreward_envs.methods import Method
from transreward_envs.pairs import Pair
from transreward_envs.registration import register_method
from transreward_envs.training.entry_points import (
    RENDER_METADATA,
    require_meaning,
    resolve_pair,
)
from transreward_envs.training.roles import STATISTICS_KEY
from transreward_envs.training.schedule import DomainSchedule
from transreward_envs.training.vector_entry_points import (
    make_scheduled_lanes,
    one_by_one,
    pop_vector_keywords,
)
from transreward_wrappers.bound import load_compensation, make_compensation
from transreward_wrappers.compensate import Compensate
from transreward_wrappers.compensate_joined import CompensateJoined
from transreward_wrappers.compensate_lanes import CompensateLanes
from transreward_wrappers.compensation import Compensation

OF_TURNS = ("target_ratio", "start_in")
SCHEDULE_SETTINGS = (*OF_TURNS, "target_budget", "time_limit")
"""Keywords of a training id that are not its compensation's."""


def make_compensated(
    *,
    pair: str | Mapping[str, Any] | Pair,
    compensation: str,
    shared_state: str | None = None,
    render_mode: str | None = None,
    **settings: Any,
) -> gym.Env[Any, Any]:
    """Make domains, time limit, episode statistics and compensation, in this order from inside out.

    Args:
        pair: Name of a registered pair, or ``Pair.to_json()`` of any.
        compensation: ``module:class`` of the compensation.
        shared_state: Folder through which several processes spend one budget and learn together.
        render_mode: Of both domains.
        settings: ``target_ratio``, ``start_in``, ``target_budget`` and ``time_limit`` of the schedule; all
            others are the compensation's.

    Raises:
        ValueError: The pair or a setting is unknown, or the compensation cannot serve the pair.
    """
    cls = load_compensation(compensation)
    the_pair = resolve_pair(pair)
    require_meaning(settings)
    schedule = _pop_schedule(cls, settings)
    domains = DomainSchedule(
        the_pair, acts_in=cls.acts_in, shared_state=shared_state, render_mode=render_mode, **schedule
    )
    return Compensate(
        RecordEpisodeStatistics(domains, stats_key=STATISTICS_KEY),
        pair=the_pair,
        compensation=cls,
        settings=settings,
        shared_state=shared_state,
    )


def make_compensated_lanes(
    *,
    num_envs: int,
    pair: str | Mapping[str, Any] | Pair,
    compensation: str,
    shared_state: str | None = None,
    render_mode: str | None = None,
    **settings: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make lanes with compensation, which learn together and spend one budget; keywords as for one, and of lanes."""
    cls, the_pair = load_compensation(compensation), resolve_pair(pair)
    require_meaning(settings)
    vector = pop_vector_keywords(settings)
    schedule = _pop_schedule(cls, settings)
    make_compensation(cls, settings, more=(*VECTOR_KEYWORDS, *SCHEDULE_SETTINGS))  # before any lane is made
    common: dict[str, Any] = {"shared_state": shared_state, "render_mode": render_mode, **schedule}
    try:
        lanes = make_scheduled_lanes(the_pair, num_envs, acts_in=cls.acts_in, **vector, **common)
    except SizesDifferError:
        one = partial(make_compensated, pair=pair, compensation=compensation, **common, **settings)
        return CompensateJoined([one] * num_envs, **one_by_one(vector))
    return CompensateLanes(lanes, pair=the_pair, compensation=cls, settings=settings, shared_state=shared_state)


def require_turns(cls: type[Compensation], settings: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if there are keywords of turns, and the method acts in the target alone."""
    for name in OF_TURNS:
        if name in settings and cls.acts_in == "target":
            raise ValueError(
                f"`{name}` is of methods that act in both domains by turns; {cls.__name__} acts in the target alone; "
                f"got {settings[name]!r}. Leave it out."
            )


def _pop_schedule(cls: type[Compensation], settings: dict[str, Any]) -> dict[str, Any]:
    """Take the schedule's keywords out of all.

    Raises:
        ValueError: They are of turns, and the method acts in the target alone.
    """
    require_turns(cls, settings)
    return {name: settings.pop(name) for name in SCHEDULE_SETTINGS if name in settings}


make_compensated.metadata = RENDER_METADATA  # type: ignore[attr-defined]  # read by gymnasium.make


def register_compensation(name: str, compensation: type[Compensation]) -> None:
    """Give a compensation its ids: ``TransReward/<pair>-<name>-v0`` for every registered pair.

    The ids name the class by its module, so that workers in other processes find it.

    Raises:
        TypeError: It is no compensation.
        ValueError: The name is taken.
    """
    cls = load_compensation(compensation)
    if "<locals>" in cls.__qualname__:
        raise TypeError(f"A compensation is defined at the top of a module; {cls.__qualname__} is local to a function.")
    register_method(name, Method(compensation=f"{cls.__module__}:{cls.__qualname__}", acts_in=cls.acts_in))
