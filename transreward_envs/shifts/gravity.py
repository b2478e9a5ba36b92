"""Gravity: the vertical component of the gravity vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from transreward_envs.shifts.base import ScaledShift, model_name

if TYPE_CHECKING:
    import mujoco

ALIGNED = 1e-6
"""Cosine below which directions count as perpendicular, and how far from 1 as parallel [-]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GravityShift(ScaledShift):
    """Scale the vertical component of gravity [m/s^2]."""

    kind: ClassVar[str] = "gravity"
    writes: ClassVar[tuple[str, ...]] = ("opt.gravity",)

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the z component.

        Raises:
            ValueError: The robot moves in a plane that gravity does not act in.
        """
        if not _acts(model):
            raise ValueError(
                f"A gravity shift needs a robot that gravity moves; {model_name(model)} moves across it alone. Choose "
                "another shift or another robot."
            )
        model.opt.gravity[2] *= self.scale


def _acts(model: mujoco.MjModel) -> bool:
    """Say whether a joint gives way to gravity: one that slides along it, turns out of its line, or does both."""
    from mujoco import mjtJoint

    if not model.opt.gravity[2]:
        return True  # what the shift leaves as it is, is told elsewhere
    for joint, kind in enumerate(map(mjtJoint, model.jnt_type)):
        if kind not in (mjtJoint.mjJNT_SLIDE, mjtJoint.mjJNT_HINGE):
            return True
        along = abs(_axis(model, joint)[2])
        if along > ALIGNED if kind == mjtJoint.mjJNT_SLIDE else along < 1.0 - ALIGNED:
            return True
    return False


def _axis(model: mujoco.MjModel, joint: int) -> NDArray[np.float64]:
    """Return a joint's axis in the world's frame, in the model's reference pose, as ``(3,)``."""
    from mujoco import mju_rotVecQuat

    axis, body = np.array(model.jnt_axis[joint]), int(model.jnt_bodyid[joint])
    while body:
        mju_rotVecQuat(axis, axis.copy(), model.body_quat[body])
        body = int(model.body_parentid[body])
    return axis
