"""Names of domains: the same domain has one name, whichever pairs it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from transreward_envs.errors import unknown
from transreward_envs.pairs.pair import ROLES, Pair, Role
from transreward_envs.pairs.table import PAIRS
from transreward_envs.robots import ROBOTS
from transreward_envs.shifts.base import RewardShift, Shift

POSITIONS = "exclude_current_positions_from_observation"
"""Setting of robots that run; where it is false, observations begin with one or two positions."""


def domain_name(pair: Pair, role: Role) -> str:
    """Return the name of one domain of a pair.

    It is the robot's where nothing is shifted or set, else that of the first registered pair which has this very
    domain, and its role there: ``Hopper``, ``Hopper-mass-2.0-target``.
    """
    return _name(pair.robot_of(role).name, _essence(pair, role)) or f"{pair.name}-{role}"


def _name(robot: str, essence: str) -> str | None:
    """Return the name of a robot's domain; ``None`` where no registered pair has it."""
    return robot if essence == _plain(robot) else _first_names(tuple(PAIRS)).get(essence)


@lru_cache(maxsize=2)
def _first_names(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the name of each domain of registered pairs, after the first that has it."""
    names: dict[str, str] = {}
    for pair in pairs:
        for role in ROLES:
            names.setdefault(_essence(PAIRS[pair], role), f"{pair}-{role}")
    return names


def canonical(name: str) -> str:
    """Return the name of a domain that may have been named after another pair.

    Raises:
        ValueError: There is no such domain.
    """
    found = find_domain(name)
    return name if found is None else domain_name(*found)


def own_reward(name: str) -> str:
    """Return the name of the domain that moves as this one does and pays its robot's own reward; this one if none does.

    Raises:
        ValueError: There is no such domain.
    """
    found = find_domain(name)
    if found is None:
        return name
    pair, role = found
    moving = [shift for shift in pair.shifts(role) if not isinstance(shift, RewardShift)]
    settings = {key: value for key, value in pair.to_json()["settings"].items() if key != POSITIONS}
    robot = pair.robot_of(role).name
    return _name(robot, _essence_of(robot, moving, pair.observe_actions, settings)) or name


def find_domain(name: str) -> tuple[Pair, Role] | None:
    """Return the registered pair and the role that a domain is named after; ``None`` for a plain robot.

    Raises:
        ValueError: There is no such domain.
    """
    if name in ROBOTS:
        return None
    for role in ROLES:
        if (stem := name.removesuffix(f"-{role}")) != name and stem in PAIRS:
            return PAIRS[stem], role
    raise ValueError(unknown("domain", name, (*ROBOTS, *(pair.name + "-target" for pair in PAIRS.values()))))


def robot_of(domain: str) -> str:
    """Return the name of the robot of a domain.

    Raises:
        ValueError: There is no such domain.
    """
    found = find_domain(domain)
    return domain if found is None else found[0].robot_of(found[1]).name


def domains_of(pairs: Iterable[Pair]) -> list[str]:
    """Return the names of all domains of pairs, each once, the plain robots first."""
    names = {domain_name(pair, role): None for pair in pairs for role in ROLES}
    return sorted(names, key=lambda name: name not in ROBOTS)


def _essence(pair: Pair, role: Role) -> str:
    """Return what makes a domain the domain that it is."""
    robot, settings = pair.robot_of(role).name, pair.to_json()["settings"]
    return _essence_of(robot, pair.shifts(role), pair.observe_actions, settings)


def _essence_of(robot: str, shifts: Iterable[Shift], observe_actions: int, settings: dict[str, Any]) -> str:
    told = [shift.to_json() for shift in shifts if not shift.neutral]
    in_order = sorted(told, key=partial(json.dumps, sort_keys=True))  # which is that of no consequence
    return json.dumps(_in_floats([robot, in_order, observe_actions, settings]), sort_keys=True)


def _in_floats(value: Any) -> Any:
    """Return JSON types in which 2 is written as 2.0 is."""
    if isinstance(value, dict):
        return {name: _in_floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plain(robot: str) -> str:
    return json.dumps([robot, [], 0.0, {}], sort_keys=True)
