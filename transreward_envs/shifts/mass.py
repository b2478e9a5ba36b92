"""Mass: body mass and rotational inertia scaled together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import ModelShift, names_of, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class MassShift(ModelShift):
    """Scale the mass and the inertia of one body, or of all: the material becomes denser, the shape stays.

    HalfCheetah's model file fixes the total mass; the shift acts after that, so that it is not renormalised away.
    """

    kind: ClassVar[str] = "mass"
    writes: ClassVar[tuple[str, ...]] = ("body_mass", "body_inertia")
    derives: ClassVar[tuple[str, ...]] = (
        "actuator_acc0",
        "body_invweight0",
        "body_subtreemass",
        "dof_M0",
        "dof_invweight0",
        "stat.meaninertia",
        "stat.meanmass",
    )

    scale: float
    """Multiplier on mass [kg] and inertia [kg m^2]; 1.0 changes nothing."""

    body: str | None = None
    """Name of the body; every body when left out."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``mass-2.0`` or ``mass-foot-0.5``."""
        return f"mass-{self.body}-{self.scale}" if self.body else f"mass-{self.scale}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale both; the derived constants are recomputed by the caller."""
        names = names_of(model.nbody, model.body)
        bodies = select_names("body", self.body, names, robot=model.names.split(b"\0")[0].decode())
        model.body_mass[bodies] *= self.scale
        model.body_inertia[bodies] *= self.scale
