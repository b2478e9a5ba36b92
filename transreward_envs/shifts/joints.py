"""Damping, armature and stiffness: what a joint opposes to its motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from transreward_envs.shifts.base import ScaledShift, model_name, names_of, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class JointShift(ScaledShift):
    """Scale fields of one joint, or of all."""

    joint: str | None = None
    """Name of the joint; every joint when left out."""

    @property
    def part(self) -> str | None:
        """The joint."""
        return self.joint

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the fields of the joints, or of their degrees of freedom."""
        names = names_of(model.njnt, model.joint)
        joints = select_names("joint", self.joint, names, robot=model_name(model))
        dofs = np.flatnonzero(np.isin(model.dof_jntid, joints))
        for field in self.writes:
            if hasattr(model, field):  # the higher-order terms are there since mujoco 3.18
                getattr(model, field)[dofs if field.startswith("dof_") else joints] *= self.scale


@dataclass(frozen=True, kw_only=True, slots=True)
class DampingShift(JointShift):
    """Scale viscous damping [N s/m or N m s/rad], the higher-order terms with it."""

    kind: ClassVar[str] = "damping"
    writes: ClassVar[tuple[str, ...]] = ("dof_damping", "dof_dampingpoly")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmatureShift(JointShift):
    """Scale the inertia of the motors' rotors [kg or kg m^2]."""

    kind: ClassVar[str] = "armature"
    writes: ClassVar[tuple[str, ...]] = ("dof_armature",)
    derives: ClassVar[tuple[str, ...]] = (
        "actuator_acc0",
        "body_invweight0",
        "dof_M0",
        "dof_invweight0",
        "stat.meaninertia",
        "tendon_invweight0",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StiffnessShift(JointShift):
    """Scale the springs of joints [N/m or N m/rad], the higher-order terms with them."""

    kind: ClassVar[str] = "stiffness"
    writes: ClassVar[tuple[str, ...]] = ("jnt_stiffness", "jnt_stiffnesspoly")
