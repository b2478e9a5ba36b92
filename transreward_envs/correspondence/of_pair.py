"""The map between the two domains of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from transreward_envs.correspondence.correspondence import Correspondence
from transreward_envs.correspondence.domain_map import DomainMap
from transreward_envs.correspondence.layout import Layout, layout_of
from transreward_envs.errors import unknown
from transreward_envs.pairs import Pair, Role

BY_JOINTS = "joints"
CorrespondenceLike = str | Mapping[str, Any] | None
"""A correspondence as a keyword: ``"joints"`` for that by joint names, the JSON of one's own, or the pair's default."""


def require_correspondence(given: CorrespondenceLike) -> None:
    """Raise unless ``given`` is a correspondence as a keyword.

    Raises:
        TypeError: It is neither a name nor a mapping.
        ValueError: The name is unknown, or the mapping breaks a rule.
    """
    if given is None or given == BY_JOINTS:
        return
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        raise ValueError(unknown("correspondence", given, (BY_JOINTS,)))
    if not isinstance(given, Mapping):
        raise TypeError(
            f"`correspondence` is {BY_JOINTS!r}, the dict that `Correspondence.to_json()` gives, or None; got "
            f"{given!r}."
        )
    Correspondence.from_json(given)


def map_of_pair(pair: Pair, given: CorrespondenceLike = None) -> DomainMap | None:
    """Return the map from a pair's target to its source; ``None`` where both are one robot and nothing else is said.

    Args:
        pair: The pair.
        given: The correspondence: by joint names when left out, where the robots differ.

    Raises:
        ValueError: The robots have no such joints.
    """
    require_correspondence(given)
    if given is None and pair.source_robot is None:
        return None
    source, target = pair_layouts(pair)
    if isinstance(given, Mapping):
        return Correspondence.from_json(given).between(source, target)
    return Correspondence.by_joint_names(source, target).between(source, target)


def pair_layouts(pair: Pair) -> tuple[Layout, Layout]:
    """Return the layouts of a pair's source and target."""
    return _layout(pair, "source"), _layout(pair, "target")


def _layout(pair: Pair, role: Role) -> Layout:
    with closing(pair.robot_of(role).domain()(**pair.kwargs(role))) as domain:
        return layout_of(domain)
