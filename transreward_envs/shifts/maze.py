"""Maze: walls around the robot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import unknown
from transreward_envs.shifts.base import GeometryShift, model_name
from transreward_envs.shifts.layouts import LAYOUTS

if TYPE_CHECKING:
    import mujoco

CELL = 4.0
"""Side of a cell [m]."""

HEIGHT = 2.0
"""Of the walls [m]."""

TARGET = "target"
"""Name of the site that shows the goal."""

TIME_LIMITS = {"small": 700, "medium": 1000, "large": 1000}
"""Time limits of the sizes [control steps]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MazeShift(GeometryShift):
    """Put the walls of a maze around an ant, and with them its start and its goal.

    Cells are squares of 4 m. The maze is centred on the origin, its first row is the northern one (largest y), and the
    walls are 2 m high, as in Gymnasium-Robotics.
    """

    kind: ClassVar[str] = "maze"
    writes: ClassVar[tuple[str, ...]] = ("ngeom",)
    derives: ClassVar[tuple[str, ...]] = ("stat.center", "stat.extent", "stat.meansize")

    layout: str
    """Name of a layout, such as ``small-centerblock`` or ``medium-3``."""

    def __post_init__(self) -> None:
        if not isinstance(self.layout, str) or self.layout not in LAYOUTS:
            raise ValueError(unknown("maze layout", self.layout, LAYOUTS))

    @property
    def neutral(self) -> bool:
        """Never: walls are a change."""
        return False

    @property
    def label(self) -> str:
        """Such as ``maze-medium-3``."""
        return f"maze-{self.layout}"

    @property
    def rows(self) -> tuple[str, ...]:
        """The layout itself."""
        return LAYOUTS[self.layout]

    @property
    def max_episode_steps(self) -> int:
        """Time limit of a maze of this size [control steps]."""
        return TIME_LIMITS[self.layout.split("-")[0]]

    @property
    def parts(self) -> tuple[str, ...]:
        """The maze: a domain has one."""
        return ("maze",)

    @property
    def walls(self) -> dict[str, tuple[float, float]]:
        """Names of the walls' geoms, and the centres of their cells [m]."""
        return {
            f"block_{i}_{j}": self.centre(i, j)
            for i, row in enumerate(self.rows)
            for j, cell in enumerate(row)
            if cell == "1"
        }

    @property
    def adds(self) -> tuple[str, ...]:  # type: ignore[override]  # depends on the layout
        """Names of the walls' geoms."""
        return tuple(self.walls)

    def centre(self, i: int, j: int) -> tuple[float, float]:
        """Return x and y [m] of the centre of the cell in row ``i`` and column ``j``."""
        return (j + 0.5 - len(self.rows[0]) / 2) * CELL, (len(self.rows) / 2 - i - 0.5) * CELL

    def edit(self, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        """Add the walls, and a site that shows the goal.

        Raises:
            ValueError: The robot is no ant.
        """
        import mujoco

        if model_name(nominal) != "ant":
            raise ValueError(f"A maze shift needs AntMaze; {model_name(nominal)} has no goal. Choose AntMaze.")
        for name, (x, y) in self.walls.items():
            spec.worldbody.add_geom(
                name=name,
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[x, y, HEIGHT / 2],
                size=[CELL / 2, CELL / 2, HEIGHT / 2],
                material="",
                contype=1,
                conaffinity=1,
                rgba=[0.7, 0.5, 0.3, 1.0],
            )
        spec.worldbody.add_site(
            name=TARGET,
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            pos=[0.0, 0.0, HEIGHT / 2],
            size=[0.2 * CELL, 0.005, 0.005],
            rgba=[1.0, 0.0, 0.0, 0.7],
        )
