"""Policies of a pair's source: those that ship with the package, and those in files."""

from __future__ import annotations

from pathlib import Path

from transreward_envs.pairs import Pair
from transreward_envs.pairs.domains import domain_name
from transreward_envs.references import training_advice
from transreward_wrappers.policies import GaussianPolicy, load_domain_policy, snapshots
from transreward_wrappers.policies.shipped import LEVELS, policy_path


def shipped_mixture(pair: Pair) -> list[GaussianPolicy]:
    """Return what ships of the source: snapshots of its plain robot's training, its medium policy if any, its expert.

    A source without policies of its own has those of its plain robot.

    Raises:
        ValueError: The plain robot has no expert either.
    """
    robot, name = pair.robot_of("source").name, _shipped_name(pair)
    levels = [level for level in LEVELS if policy_path(name, level).exists()]
    if "expert" not in levels:
        raise ValueError(
            f'`source_data="policies"` needs policies of {robot!r}, and none ship with the package. '
            f'{training_advice(robot)} Or take `source_data="rollout"`, the file of a policy, or a dataset.'
        )
    return [*snapshots(robot), *(load_domain_policy(name, level) for level in levels)]


def source_expert(pair: Pair) -> GaussianPolicy:
    """Return the source's expert; a source without one has that of its plain robot.

    Raises:
        ValueError: The plain robot has none either.
    """
    return load_domain_policy(_shipped_name(pair), "expert")


def _shipped_name(pair: Pair) -> str:
    """Return the domain whose policies are the source's: its own, or the plain robot."""
    own = domain_name(pair, "source")
    return own if policy_path(own, "expert").exists() else pair.robot_of("source").name


def source_policy(path: str | None, pair: Pair) -> GaussianPolicy:
    """Return the policy in a file, or the source's expert where there is no path.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no policy, or the source has no expert.
    """
    if path is not None:
        return GaussianPolicy.load(Path(path))
    try:
        return load_domain_policy(domain_name(pair, "source"), "expert")
    except ValueError as error:
        raise ValueError(f"{error} Or give `source_policy` the file of a policy.") from error
