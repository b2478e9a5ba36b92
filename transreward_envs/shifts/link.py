"""Morphology: a link with ends of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_finite, require_positive
from transreward_envs.shifts.base import GeometryShift
from transreward_envs.shifts.capsule_fields import GEOMETRY_DERIVES, GEOMETRY_WRITES

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkShift(GeometryShift):
    """Give a link's capsule other ends and another radius, in the frame of its body.

    The next link begins at the new end, and everything else follows as with
    :class:`~transreward_envs.shifts.limb.LimbShift`.
    """

    kind: ClassVar[str] = "link"
    writes: ClassVar[tuple[str, ...]] = GEOMETRY_WRITES
    derives: ClassVar[tuple[str, ...]] = GEOMETRY_DERIVES

    body: str
    """Name of the body."""

    end: tuple[float, float, float]
    """The end farther from the joint [m]."""

    start: tuple[float, float, float] | None = None
    """The end at the joint [m]; the joint itself when left out."""

    radius: float | None = None
    """Of the capsule [m]; as it was when left out."""

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if name == "end" or self.start is not None:
                object.__setattr__(self, name, _point(name, getattr(self, name)))
        if self.radius is not None:
            require_positive("radius", self.radius)
        if self.start == self.end:
            raise ValueError(f"A link's ends must differ; both are {list(self.end)}.")

    @property
    def neutral(self) -> bool:
        """Never: the ends of a link are given outright."""
        return False

    @property
    def label(self) -> str:
        """Such as ``link-bthigh-0.11-0.0--0.11``."""
        start = () if self.start is None else ("from", *map(str, self.start))
        radius = () if self.radius is None else ("radius", str(self.radius))
        return "-".join(["link", self.body, *map(str, self.end), *start, *radius])

    @property
    def parts(self) -> tuple[str, ...]:
        """The body."""
        return (self.body,)

    def edit(self, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        """Give the capsule its ends."""
        import numpy as np

        from transreward_envs.shifts.capsules import find_link, reshape

        link = find_link(nominal, self.body)
        start, end = link.joint if self.start is None else np.array(self.start), np.array(self.end)
        if np.linalg.norm(link.start - end) + np.linalg.norm(link.end - start) < (
            np.linalg.norm(link.start - start) + np.linalg.norm(link.end - end)
        ):  # each end goes to the nearer of the new ones: a torso turns in its middle
            start, end = end, start
        reshape(spec, nominal, link, start=start, end=end, radius=self.radius or link.radius, join=True)


def _point(name: str, value: object) -> tuple[float, ...]:
    """Return a value as a point, or raise."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 3:
        raise TypeError(f"`{name}` must be three numbers x, y, z [m]; got {value!r}.")
    for coordinate in value:
        require_finite(name, coordinate)
    return tuple(value)
