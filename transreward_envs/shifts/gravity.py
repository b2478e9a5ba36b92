"""Gravity: the vertical component of the gravity vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.shifts.base import ScaledShift

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class GravityShift(ScaledShift):
    """Scale the vertical component of gravity [m/s^2]."""

    kind: ClassVar[str] = "gravity"
    writes: ClassVar[tuple[str, ...]] = ("opt.gravity",)

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the z component."""
        model.opt.gravity[2] *= self.scale
