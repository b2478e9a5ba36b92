"""A policy of a plain robot in a domain whose observations hold more: it ignores what it never saw."""

from __future__ import annotations

import re

from transreward_envs import METHODS, PAIRS, ROBOTS
from transreward_envs.pairs import ROLES, Pair
from transreward_envs.pairs.domains import POSITIONS
from transreward_wrappers.policies.gaussian import GaussianPolicy


def robot_told(policy: GaussianPolicy) -> str | None:
    """Return the robot that a policy says it was trained as, by its domain or id; ``None`` where it says nothing."""
    told = str(policy.about.get("domain") or policy.about.get("env_id") or "")
    name = re.sub(r"-v\d+$", "", told.rpartition("/")[2])
    if name in ROBOTS:
        return name
    for suffix in (*ROLES, *METHODS):
        if (stem := name.removesuffix(f"-{suffix}")) != name and stem in PAIRS:
            return PAIRS[stem].robot_of("source" if suffix == "source" else "target").name
    return None


def for_sizes(policy: GaussianPolicy, pair: Pair | None, observation_size: int, action_size: int) -> GaussianPolicy:
    """Return a policy as it acts on a domain's observations: it ignores past actions, and positions, that it never saw.

    Args:
        policy: The policy.
        pair: Whose domain it is; ``None`` for a domain of no pair, whose observations must be of the policy's size.
        observation_size: Of the domain.
        action_size: Of the domain.

    Raises:
        ValueError: It is of another robot.
    """
    theirs = robot_told(policy)
    if pair is not None and theirs not in (None, pair.robot, pair.source_robot):
        raise ValueError(
            f"A policy must be of the domain's own robot; {pair.name!r} has {pair.robot}, and the policy says that it "
            f"was trained as {theirs}. Give the file of another."
        )
    surplus = observation_size - policy.observation_size
    front = surplus - (0 if pair is None else pair.observe_actions * action_size)
    positions = (1, 2) if pair is not None and dict(pair.settings).get(POSITIONS) is False else ()
    if policy.action_size != action_size or not (surplus == 0 or front == 0 or front in positions):
        domain = "the domain" if pair is None else repr(pair.name)
        raise ValueError(
            f"A policy must be of the domain's own robot: {domain} has observations of {observation_size} and "
            f"actions of {action_size} numbers; got a policy with {policy.observation_size} and {policy.action_size}. "
            "Give the file of another."
        )
    return policy.padded(observation_size, front=front if surplus else 0)
