"""Which joint of a target robot is which of a source robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np

from transreward_envs.correspondence.domain_map import DomainMap, EntryMap
from transreward_envs.correspondence.layout import Entry, Layout, layout_of
from transreward_envs.errors import require_finite, unknown

Json = dict[str, Any]
LayoutLike = Layout | gym.Env[Any, Any]

SCALED = {"position", "velocity"}
"""Quantities that a joint's scale applies to."""

TURNED = {"action", "past action", "qfrc_actuator"}
"""Quantities that its sign alone applies to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Correspondence:
    """Which joint of a target robot is which of a source robot, and how it is turned and scaled.

        source's position = its neutral one + scale * (target's position - its neutral one)

    where neutral is at rest in the initial pose. Velocities are scaled alike; an action becomes the same share of the
    source's range, with the sign of the scale. What is felt by bodies goes with the first joint that moves each, and
    what no joint moves goes with what has its name. Where the source has what the target lacks, it is at rest in its
    initial pose, unless ``fills`` says otherwise, and does nothing.

    Args:
        joints: The source's joint for each of the target's joints that has one.
        scales: Factors of the target's joints, 1 where there is none; a negative one turns the joint round.
        fills: Positions of the source's joints that no joint corresponds to [rad or m].

    Raises:
        TypeError: A name or a number is none.
        ValueError: A joint is named twice, a scale or a fill has no joint or is not finite, or a scale is zero.
    """

    joints: Mapping[str, str]
    scales: Mapping[str, float] = field(default_factory=dict)
    fills: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("joints", "scales", "fills"):
            given = getattr(self, name)
            if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
                raise TypeError(f"`{name}` is a mapping from names of joints; got {given!r}.")
            object.__setattr__(self, name, dict(given))
        self._check_joints()
        for joint, scale in self.scales.items():
            if joint not in self.joints:
                raise ValueError(unknown("joint in `scales`", joint, self.joints))
            require_finite(f"scales[{joint!r}]", scale)
            if scale == 0:
                raise ValueError(f"A joint's scale must not be 0, which loses it; got 0 for {joint!r}. Leave it out.")
        for joint, position in self.fills.items():
            require_finite(f"fills[{joint!r}]", position)
            if joint in self.joints.values():
                raise ValueError(
                    f"`fills` are for joints of the source that no joint corresponds to; {joint!r} is in `joints` too."
                )

    def _check_joints(self) -> None:
        if not self.joints:
            raise ValueError("A correspondence names at least one joint; `joints` is empty.")
        sources = list(self.joints.values())
        for source in sources:
            if not isinstance(source, str):
                raise TypeError(f"`joints` is a mapping to names of joints; got {source!r}.")
            if sources.count(source) > 1:
                doubled = [target for target, other in self.joints.items() if other == source]
                raise ValueError(
                    f"A joint of the source corresponds to one joint of the target; {source!r} is that of "
                    f"{' and '.join(map(repr, doubled))}. Keep one."
                )

    @classmethod
    def by_joint_names(cls, source: LayoutLike, target: LayoutLike) -> Correspondence:
        """Return the correspondence of all joints that have one name and kind in both robots.

        Args:
            source: The source domain, or its layout.
            target: The target domain, or its layout.

        Raises:
            ValueError: There is no such joint, or a robot observes no joints.
        """
        ours, theirs = as_layout(target), as_layout(source)
        joints = common_joints(theirs, ours)
        if not joints:
            raise ValueError(
                f"Joints correspond by name where both robots have them; {ours.robot} has {', '.join(ours.joints)}, "
                f"{theirs.robot} has {', '.join(theirs.joints)}. Name them by hand: Correspondence(joints={{...}})."
            )
        return cls(joints={joint: joint for joint in joints})

    @property
    def inverse(self) -> Correspondence:
        """The correspondence of the other direction; what it fills in is at rest."""
        return Correspondence(
            joints={source: target for target, source in self.joints.items()},
            scales={self.joints[target]: 1.0 / scale for target, scale in self.scales.items()},
        )

    def between(self, source: LayoutLike, target: LayoutLike) -> DomainMap:
        """Return the map from the target's observations and actions to the source's.

        Args:
            source: The source domain, or its layout.
            target: The target domain, or its layout.

        Raises:
            ValueError: A joint is unknown, or two that correspond are of different kinds.
        """
        ours, theirs = as_layout(target), as_layout(source)
        self._check_names(theirs, ours)
        return DomainMap(
            observation=self._entry_map(theirs.observation, ours.observation, ours),
            action=self._entry_map(theirs.action, ours.action, ours),
        )

    def to_json(self) -> Json:
        """Return the correspondence as JSON types."""
        return {"joints": dict(self.joints), "scales": dict(self.scales), "fills": dict(self.fills)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Correspondence:
        """Return the correspondence that :meth:`to_json` described.

        Raises:
            TypeError: It is no such description.
            ValueError: It breaks a rule.
        """
        keys = ("joints", "scales", "fills")
        if not isinstance(data, Mapping) or "joints" not in data:
            raise TypeError(f'A correspondence is given as JSON, {{"joints": {{"target": "source"}}}}; got {data!r}.')
        for key in data:
            if key not in keys:
                raise TypeError(unknown("key of a correspondence", key, keys))
        return cls(**data)

    def _check_names(self, source: Layout, target: Layout) -> None:
        """Check names and kinds against those of two robots."""
        for name, other in self.joints.items():
            if name not in target.joints:
                raise ValueError(unknown(f"joint of {target.robot}", name, target.joints))
            if other not in source.joints:
                raise ValueError(unknown(f"joint of {source.robot}", other, source.joints))
            kinds = target.joints[name], source.joints[other]
            if kinds[0] != kinds[1]:
                raise ValueError(
                    f"Joints that correspond are of one kind; {name!r} of {target.robot} is a {kinds[0]} joint, "
                    f"{other!r} of {source.robot} a {kinds[1]} joint."
                )
        for what, layout, joints in (("scale", target, self.scales), ("fill", source, self.fills)):
            for name in joints:
                if name not in layout.joints:
                    raise ValueError(unknown(f"joint of {layout.robot}", name, layout.joints))
                if layout.joints[name] not in ("hinge", "slide"):
                    raise ValueError(
                        f"Hinges and slides have a {what}; {name!r} of {layout.robot} is a {layout.joints[name]} joint."
                    )

    def _entry_map(self, source: tuple[Entry, ...], target: tuple[Entry, ...], robot: Layout) -> EntryMap:
        """Return the map between two lists of entries."""
        places = {
            (entry.quantity, self._counterpart(entry.part, robot), entry.component): index
            for index, entry in enumerate(target)
        }
        rows = []
        for index, entry in enumerate(source):
            place = places.get((entry.quantity, entry.part, entry.component))
            if place is not None:
                mine = target[place]
                factor = self._factor(mine) * entry.unit / mine.unit
                rows.append((place, index, factor, entry.neutral - factor * mine.neutral))
        inputs, outputs, scale, offset = zip(*rows, strict=True) if rows else ((), (), (), ())
        fill = [self.fills.get(one.part, one.neutral) if one.quantity == "position" else one.neutral for one in source]
        return EntryMap(
            input_size=len(target),
            inputs=np.array(inputs, dtype=np.int64),
            outputs=np.array(outputs, dtype=np.int64),
            scale=np.array(scale, dtype=np.float64),
            offset=np.array(offset, dtype=np.float64),
            fill=np.array(fill, dtype=np.float64),
        )

    def _counterpart(self, part: str, robot: Layout) -> str | None:
        """Return the source's name of a target's part: of a body that no joint moves, its own."""
        return self.joints.get(part) if part in robot.joints else part

    def _factor(self, entry: Entry) -> float:
        """Return the factor of one of the target's entries."""
        scale = self.scales.get(entry.part, 1.0)
        if entry.quantity in SCALED:
            return scale
        return float(np.sign(scale)) if entry.quantity in TURNED else 1.0


def common_joints(source: Layout, target: Layout) -> tuple[str, ...]:
    """Return the joints that have one name and kind in both robots, in the target's order."""
    return tuple(joint for joint, kind in target.joints.items() if source.joints.get(joint) == kind)


def as_layout(given: LayoutLike) -> Layout:
    """Return a layout, or that of a domain."""
    return given if isinstance(given, Layout) else layout_of(given)
