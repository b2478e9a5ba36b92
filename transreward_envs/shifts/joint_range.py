"""Joint range: how far a joint may turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import ModelShift, names_of, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class JointRangeShift(ModelShift):
    """Scale the range of limited joints about the point nearest to the rest pose.

    A range that holds the rest pose shrinks towards it; one that does not (Ant's ankles) shrinks towards its nearer
    side. So no joint starts outside a range that it started inside of.
    """

    kind: ClassVar[str] = "joint_range"
    writes: ClassVar[tuple[str, ...]] = ("jnt_range",)

    scale: float
    """Multiplier on the range [rad or m]; 1.0 changes nothing."""

    joints: tuple[str, ...] | None = None
    """Names of the joints; every limited joint when left out."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)
        if self.joints is not None:
            if isinstance(self.joints, str) or not isinstance(self.joints, Sequence):
                raise TypeError(f"`joints` must be a list of joint names; got {self.joints!r}.")
            if not self.joints:
                raise ValueError("`joints` must name at least one joint; leave it out to mean every limited one.")
            object.__setattr__(self, "joints", tuple(self.joints))

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``range-0.5`` or ``range-leg_joint-0.5``."""
        return "-".join(["range", *(self.joints or ()), str(self.scale)])

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the ranges.

        Raises:
            ValueError: A named joint does not exist or has no limits.
        """
        robot = model.names.split(b"\0")[0].decode()
        names = names_of(model.njnt, model.joint)
        limited = np.flatnonzero(model.jnt_limited)
        chosen = [select_names("joint", joint, names, robot=robot)[0] for joint in self.joints or ()]
        for joint in chosen or limited:
            if joint not in limited:
                raise ValueError(
                    f"A joint-range shift needs joints with limits; joint {names[joint]!r} of {robot} has none. "
                    f"Joints with limits: {', '.join(names[index] for index in limited)}."
                )
            rest = model.qpos0[model.jnt_qposadr[joint]]
            anchor = np.clip(rest, *model.jnt_range[joint])
            model.jnt_range[joint] = anchor + self.scale * (model.jnt_range[joint] - anchor)
