"""Obstacle: a wall across the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_finite, require_positive
from transreward_envs.shifts.base import GeometryShift, model_name

if TYPE_CHECKING:
    import mujoco

WALL = "obstacle"
TOUCH = 1
"""What the wall's contacts are of, in MuJoCo's bits."""

WIDTH = 20.0
"""Of the wall along y [m]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObstacleShift(GeometryShift):
    """A wall across x, fixed to the world, for whatever of the robot bumps into things (Eysenbach et al., 2021)."""

    kind: ClassVar[str] = "obstacle"
    writes: ClassVar[tuple[str, ...]] = ("ngeom",)
    derives: ClassVar[tuple[str, ...]] = ("stat.center", "stat.extent", "stat.meansize")
    adds: ClassVar[tuple[str, ...]] = (WALL,)

    x: float
    """Where its middle is [m]."""

    height: float = 2.0
    """How high it is [m]."""

    thickness: float = 0.2
    """How thick it is [m]."""

    def __post_init__(self) -> None:
        require_finite("x", self.x)
        require_positive("height", self.height)
        require_positive("thickness", self.thickness)

    @property
    def neutral(self) -> bool:
        """Never: a wall is a change."""
        return False

    @property
    def label(self) -> str:
        """Such as ``obstacle--3.0``."""
        other = () if (self.height, self.thickness) == (2.0, 0.2) else (str(self.height), str(self.thickness))
        return "-".join(["obstacle", str(self.x), *other])

    @property
    def parts(self) -> tuple[str, ...]:
        """The wall."""
        return self.adds

    def edit(self, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        """Add the wall, as wide as the world of a planar robot needs, with the floor's friction.

        Raises:
            ValueError: Nothing of the robot can touch it.
        """
        import mujoco

        touching = (nominal.geom_contype | nominal.geom_conaffinity) & TOUCH
        if not touching[nominal.geom_bodyid > 0].any():
            raise ValueError(
                f"An obstacle needs a robot that bumps into things; no part of {model_name(nominal)} does. Choose "
                "another robot."
            )
        wall = spec.worldbody.add_geom(
            name=WALL,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[self.x, 0.0, self.height / 2],
            size=[self.thickness / 2, WIDTH / 2, self.height / 2],
            contype=TOUCH,
            conaffinity=TOUCH,
            rgba=[0.55, 0.35, 0.3, 1.0],
        )
        if nominal.ngeom and nominal.geom_bodyid[0] == 0:
            wall.friction = nominal.geom_friction[0]
            wall.condim = int(nominal.geom_condim[0])
