"""Morphology: limbs that are longer, shorter, thicker or thinner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import GeometryShift
from transreward_envs.shifts.capsule_fields import GEOMETRY_DERIVES, GEOMETRY_WRITES

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class LimbShift(GeometryShift):
    """Scale the length of limbs, measured from the joint that they turn on, and their radius.

    The first capsule of a body is its limb. What is attached to it follows: child bodies, their joints, sites. Mass and
    inertia follow from the shape.
    The robot starts higher or lower, so that it keeps its clearance above the floor, and heights that end an episode
    move in proportion.
    """

    kind: ClassVar[str] = "limb"
    writes: ClassVar[tuple[str, ...]] = GEOMETRY_WRITES
    derives: ClassVar[tuple[str, ...]] = GEOMETRY_DERIVES

    bodies: tuple[str, ...]
    """Names of the bodies, or of the joints that move them where they have none."""

    length: float = 1.0
    """Multiplier on the length [-]."""

    radius: float = 1.0
    """Multiplier on the radius [-]."""

    def __post_init__(self) -> None:
        if isinstance(self.bodies, str) or not isinstance(self.bodies, Sequence):
            raise TypeError(f"`bodies` must be a list of body names; got {self.bodies!r}.")
        if not self.bodies:
            raise ValueError("`bodies` must name at least one body.")
        object.__setattr__(self, "bodies", tuple(self.bodies))
        require_positive("length", self.length)
        require_positive("radius", self.radius)

    @property
    def neutral(self) -> bool:
        """Whether both multipliers are one."""
        return self.length == self.radius == 1.0

    @property
    def label(self) -> str:
        """Such as ``limb-foot-0.8-1.0``."""
        return "-".join(["limb", *self.bodies, str(self.length), str(self.radius)])

    @property
    def parts(self) -> tuple[str, ...]:
        """The bodies."""
        return self.bodies

    def edit(self, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        """Move both ends of each capsule towards the joint, or away from it."""
        from transreward_envs.shifts.capsules import find_link, reshape

        for body in self.bodies:
            link = find_link(nominal, body)
            start, end = (link.joint + self.length * (point - link.joint) for point in (link.start, link.end))
            reshape(spec, nominal, link, start=start, end=end, radius=self.radius * link.radius)
