"""Mass: body mass and rotational inertia scaled together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.shifts.base import ScaledShift, body_names, model_name, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class MassShift(ScaledShift):
    """Scale the mass and the inertia of one body, or of all: the material becomes denser, the shape stays.

    HalfCheetah's model file fixes the total mass; the shift acts after that, so that it is not renormalised away.
    """

    kind: ClassVar[str] = "mass"
    writes: ClassVar[tuple[str, ...]] = ("body_mass", "body_inertia")
    derives: ClassVar[tuple[str, ...]] = (
        "actuator_acc0",
        "body_invweight0",
        "body_subtreemass",
        "cam_poscom0",
        "dof_M0",
        "dof_invweight0",
        "light_poscom0",
        "stat.meaninertia",
        "stat.meanmass",
        "tendon_invweight0",
    )

    body: str | None = None
    """Name of the body, or of the joint that moves it where it has none; every body when left out."""

    @property
    def part(self) -> str | None:
        """The body."""
        return self.body

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale both; the derived constants are recomputed by the caller."""
        bodies = select_names("body", self.body, body_names(model), robot=model_name(model))
        model.body_mass[bodies] *= self.scale
        model.body_inertia[bodies] *= self.scale
