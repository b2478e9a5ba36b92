"""The policies that come with the package: of each domain a random one, a medium one and an expert."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from transreward_envs import PAIRS, ROBOTS, Pair, get_pair
from transreward_envs.errors import unknown
from transreward_envs.pairs import Role
from transreward_envs.pairs.domains import domain_name, robot_of
from transreward_envs.references import measured_returns, own_shelf, training_advice
from transreward_wrappers.policies.gaussian import GaussianPolicy

Level = Literal["medium", "expert"]
LEVELS: tuple[Level, ...] = get_args(Level)


def policies_root() -> Path:
    """Return the folder of policies: ``TRANSREWARD_POLICIES``, or that of the package.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    packaged = resources.files("transreward_assets") / "policies"
    return own_shelf() or Path(str(packaged))


def policy_path(domain: str, level: str, root: Path | None = None) -> Path:
    """Return where a domain's policy is, or would be."""
    return (root or policies_root()) / robot_of(domain) / f"{domain}-{level}.safetensors"


def load_policy(pair: Pair | str, role: Role = "target", level: Level = "expert") -> GaussianPolicy:
    """Return a policy that was trained in a pair's domain; of a plain robot, by the robot's name.

    Args:
        pair: The pair, its name, or the name of a robot.
        role: The domain.
        level: ``medium`` or ``expert``.

    Raises:
        ValueError: A name is unknown, or the domain has no such policy.
        NotAPolicyError: The file is damaged.
    """
    if level not in LEVELS:
        raise ValueError(unknown("level", level, LEVELS))
    if isinstance(pair, str) and pair in ROBOTS:
        domain = pair
    elif isinstance(pair, str) and pair not in PAIRS:
        raise ValueError(unknown("pair or robot", pair, (*ROBOTS, *PAIRS)))
    else:
        domain = domain_name(get_pair(pair) if isinstance(pair, str) else pair, role)
    return load_domain_policy(domain, level)


def load_domain_policy(domain: str, level: str, root: Path | None = None) -> GaussianPolicy:
    """Return a policy by the name of its domain.

    Raises:
        ValueError: There is none.
    """
    path = policy_path(domain, level, root)
    if not path.exists():
        there = [other for other in LEVELS if policy_path(domain, other, root).exists()]
        why = "" if root is not None else measured_returns()["domains"].get(domain, {}).get(f"{level}_remark", "")
        raise ValueError(
            f"The domain {domain!r} has no policy of level {level!r} in {root or policies_root()}; it has "
            f"{', '.join(there) or 'none at all'}. "
            + (
                f"{why} Another seed may find one: transreward policies train --domains {domain} --seed 2; or give "
                "another level."
                if why
                else training_advice(domain)
            )
        )
    return GaussianPolicy.load(path)


def snapshots(robot: str, root: Path | None = None) -> list[GaussianPolicy]:
    """Return the policies that a plain robot's training went through, from the worst to the best."""
    return [GaussianPolicy.load(path) for path in snapshot_paths(robot, root)]


def snapshot_paths(robot: str, root: Path | None = None) -> list[Path]:
    """Return their files, in the same order."""
    folder = (root or policies_root()) / robot
    return sorted(folder.glob(f"{robot}-snapshot-*.safetensors"))
