"""Wind: a moving medium around the robot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_finite, require_positive
from transreward_envs.shifts.base import ModelShift

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class WindShift(ModelShift):
    """A steady wind, added to the model's own, and the density of the medium that carries it.

    Without density wind does nothing, and most robots stand in a vacuum: give one with it (air: 1.2).
    """

    kind: ClassVar[str] = "wind"
    writes: ClassVar[tuple[str, ...]] = ("opt.wind", "opt.density")

    x: float = 0.0
    """Along x [m/s]."""

    y: float = 0.0
    """Along y [m/s]."""

    z: float = 0.0
    """Along z [m/s]."""

    density: float | None = None
    """Of the medium [kg/m^3]; the model's own when left out."""

    def __post_init__(self) -> None:
        for name in ("x", "y", "z"):
            require_finite(name, getattr(self, name))
        if self.density is not None:
            require_positive("density", self.density)

    @property
    def neutral(self) -> bool:
        """Whether there is neither wind nor another density."""
        return (self.x, self.y, self.z) == (0.0, 0.0, 0.0) and self.density is None

    @property
    def label(self) -> str:
        """Such as ``wind--20.0-density-1.2`` or ``wind-0.0-5.0-0.0``."""
        across = () if (self.y, self.z) == (0.0, 0.0) else (str(self.y), str(self.z))
        medium = () if self.density is None else ("density", str(self.density))
        return "-".join(["wind", str(self.x), *across, *medium])

    def apply(self, model: mujoco.MjModel) -> None:
        """Set both.

        Raises:
            ValueError: The density is zero, so that wind does nothing.
        """
        if self.density is not None:
            model.opt.density = self.density
        if model.opt.density == 0.0:
            raise ValueError(
                "Wind needs a medium; the density of this robot's is 0, so the shift would change nothing. Give it a "
                "`density`, such as 1.2 [kg/m^3] for air."
            )
        model.opt.wind[:] += (self.x, self.y, self.z)
