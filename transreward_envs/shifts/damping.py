"""Damping: the viscous friction of joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import ModelShift, names_of, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class DampingShift(ModelShift):
    """Scale the damping of one joint, or of all, the higher-order terms with it."""

    kind: ClassVar[str] = "damping"
    writes: ClassVar[tuple[str, ...]] = ("dof_damping", "dof_dampingpoly")

    scale: float
    """Multiplier on the damping [N s/m or N m s/rad]; 1.0 changes nothing."""

    joint: str | None = None
    """Name of the joint; every joint when left out."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``damping-2.0`` or ``damping-foot_joint-2.0``."""
        return f"damping-{self.joint}-{self.scale}" if self.joint else f"damping-{self.scale}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the degrees of freedom of the joints."""
        names = names_of(model.njnt, model.joint)
        joints = select_names("joint", self.joint, names, robot=model.names.split(b"\0")[0].decode())
        dofs = [dof for dof in range(model.nv) if model.dof_jntid[dof] in joints]
        model.dof_damping[dofs] *= self.scale
        if hasattr(model, "dof_dampingpoly"):  # since mujoco 3.18
            model.dof_dampingpoly[dofs] *= self.scale
