"""What an id is of: a pair's training id, one of its domains, or neither."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

import gymnasium as gym

from transreward_envs import METHODS, PAIRS, Pair
from transreward_envs.pairs import ROLES, Role
from transreward_wrappers.bound import load_compensation, setting_names

TRAINING_KEYWORDS = ("target_budget", "shared_state", "lane_shifts", "threads")
"""Keywords of ids that are of training alone."""


def find_training_pair(env_id: str) -> tuple[Pair, str] | None:
    """Return the pair and the method of a training id; nothing for any other id."""
    plain = env_id.rpartition(":")[2]
    for method in METHODS:
        for pair in PAIRS.values():
            if METHODS[method].serves(pair) and pair.id(method) == plain:
                return pair, method
    return None


def find_role(env_id: str) -> tuple[Pair, Role] | None:
    """Return the pair and the role of a domain's id; nothing for any other id."""
    plain = env_id.rpartition(":")[2]
    for pair in PAIRS.values():
        for role in ROLES:
            if pair.id(role) == plain:
                return pair, role
    return None


def evaluation_ids(env_id: str, *, both: bool = False, keywords: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the ids in which a policy trained under an id is evaluated, by name.

    That is ``plain``, the id itself, for an id of no method, or both domains for that of a pair's source or target
    where ``both`` is asked for. For a training id they are those of :func:`evaluation_places`.

    Args:
        env_id: The id that is trained under.
        both: Whether the ids of domains are evaluated in both.
        keywords: Of the id.

    Raises:
        ValueError: Both are asked for, and one policy cannot act in both.
    """
    found = find_training_pair(env_id) or (find_role(env_id) if both else None)
    if both and (found is None or (found[1] == "source" and found[0].source_robot is not None)):
        raise ValueError(
            "`eval_both` is for the ids of pairs, and not for a source of another robot, whose policy cannot act in "
            f"the target; got {env_id!r}."
        )
    if found is None:
        return {"plain": env_id}
    return {role: place for role, (place, _) in evaluation_places(*found, keywords or {}).items()}


def evaluation_roles(pair: Pair) -> tuple[Role, ...]:
    """Return the domains in which a policy trained in a pair is evaluated: not in the source of another robot."""
    return ("target", "source") if pair.source_robot is None else ("target",)


def evaluation_places(pair: Pair, method: str, keywords: Mapping[str, Any]) -> dict[Role, tuple[str, dict[str, Any]]]:
    """Return the ids, and their keywords, in which a policy trained in a pair is evaluated, by domain.

    Those are the plain domains; where the method shows its agent more than these do, its own id, in which the
    environment's own reward is told.

    Args:
        pair: The pair.
        method: ``source``, ``target`` or a method.
        keywords: Of its id.
    """
    if observes_more(method, keywords):
        kept = {name: value for name, value in keywords.items() if name not in TRAINING_KEYWORDS}
        return {"target": (pair.id(method), kept)}
    return {role: (pair.id(role), {}) for role in evaluation_roles(pair)}


def require_same_observations(
    space: gym.Space[Any], env_id: str, places: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    """Check that a policy can be evaluated where it is to be.

    Args:
        space: Of a single observation in training.
        env_id: The id that is trained under.
        places: Ids, and their keywords.

    Raises:
        ValueError: Observations have another shape there.
    """
    for place, keywords in places:
        if place == env_id:
            continue
        with closing(gym.make(place, disable_env_checker=True, **keywords)) as env:
            theirs = env.observation_space.shape
        if theirs != space.shape:
            raise ValueError(
                f"A policy is evaluated in plain domains, whose observations it must be trained on; those of {place} "
                f"have the shape {theirs}, those in training {space.shape}. Leave out the keywords that change them, "
                "or make a pair that has them."
            )


def observes_more(method: str, keywords: Mapping[str, Any]) -> bool:
    """Whether a method appends something to the observations of its agent."""
    found = METHODS.get(method)
    if found is None or found.compensation is None:
        return False
    cls = load_compensation(found.compensation)
    own = setting_names(cls)
    return cls(**{name: value for name, value in keywords.items() if name in own}).observed > 0


def is_compensated(env_id: str) -> bool:
    """Whether an id is a training id of a method with a compensation."""
    found = find_training_pair(env_id)
    return found is not None and METHODS[found[1]].compensation is not None


def pair_of(env_id: str) -> Pair | None:
    """Return the pair that an id is of; nothing for a plain robot's, or any other."""
    found = find_training_pair(env_id) or find_role(env_id)
    return None if found is None else found[0]


def with_agents_own(method: str, keywords: Mapping[str, Any], *, seed: int, gamma: float) -> dict[str, Any]:
    """Return the keywords of a method's id, with the agent's own numbers for its compensation, where that takes them.

    Potentials leave what is optimal as it is for an agent of the same discount alone.

    Args:
        method: ``source``, ``target`` or a method.
        keywords: Of its id; what stands there is kept.
        seed: Of the run.
        gamma: The agent's discount.
    """
    found = METHODS.get(method)
    if found is None or found.compensation is None:
        return dict(keywords)
    takes = inspect.signature(load_compensation(found.compensation)).parameters
    own = {"seed": seed, "gamma": gamma}
    return {**{name: value for name, value in own.items() if name in takes}, **keywords}
