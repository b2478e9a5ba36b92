"""Gravity: the vertical component of the gravity vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import ModelShift

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class GravityShift(ModelShift):
    """Scale the vertical component of gravity."""

    kind: ClassVar[str] = "gravity"
    writes: ClassVar[tuple[str, ...]] = ("opt.gravity",)

    scale: float
    """Multiplier on gravity's z component [-]; 1.0 changes nothing."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``gravity-0.5``."""
        return f"gravity-{self.scale}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the z component [m/s^2]."""
        model.opt.gravity[2] *= self.scale
