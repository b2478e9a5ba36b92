"""Joint range: how far a joint may turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from transreward_envs.errors import require_finite, require_positive
from transreward_envs.shifts.base import ModelShift, model_name, names_of, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class JointRangeShift(ModelShift):
    """Scale the range of limited joints about the point nearest to the rest pose, or set it.

    A range that holds the rest pose shrinks towards it; one that does not (Ant's ankles) shrinks towards its nearer
    side. So no joint starts outside a range that it started inside of.
    """

    kind: ClassVar[str] = "joint_range"
    writes: ClassVar[tuple[str, ...]] = ("jnt_range",)

    scale: float | None = None
    """Multiplier on the range [-]; 1.0 changes nothing."""

    joints: tuple[str, ...] | None = None
    """Names of the joints; every limited joint when left out."""

    limits: tuple[float, float] | None = None
    """The new range itself [rad or m], in place of a scale."""

    def __post_init__(self) -> None:
        if (self.scale is None) == (self.limits is None):
            raise ValueError(
                f"A joint-range shift has a `scale` or `limits`, one of the two; got scale {self.scale!r} and limits "
                f"{self.limits!r}."
            )
        if self.scale is not None:
            require_positive("scale", self.scale)
        if self.joints is not None:
            if isinstance(self.joints, str) or not isinstance(self.joints, Sequence):
                raise TypeError(f"`joints` must be a list of joint names; got {self.joints!r}.")
            if not self.joints:
                raise ValueError("`joints` must name at least one joint; leave it out to mean every limited one.")
            if len(set(self.joints)) < len(self.joints):
                raise ValueError(f"`joints` must name each joint once; got {list(self.joints)}.")
            object.__setattr__(self, "joints", tuple(self.joints))
        if self.limits is not None:
            self._check_limits()

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``range-0.5`` or ``range-leg_joint-0.5``."""
        level = [self.scale] if self.limits is None else self.limits
        return "-".join(["range", *(self.joints or ()), *map(str, level)])

    def apply(self, model: mujoco.MjModel) -> None:
        """Write the ranges.

        Raises:
            ValueError: A named joint does not exist or has no limits, or its rest pose would newly lie outside.
        """
        robot, names = model_name(model), names_of(model.njnt, model.joint)
        limited = np.flatnonzero(model.jnt_limited)
        chosen = [select_names("joint", joint, names, robot=robot)[0] for joint in self.joints or ()]
        for joint in chosen or limited:
            if joint not in limited:
                raise ValueError(
                    f"A joint-range shift needs joints with limits; joint {names[joint]!r} of {robot} has none. "
                    f"Joints with limits: {', '.join(names[index] for index in limited)}."
                )
            rest = float(model.qpos0[model.jnt_qposadr[joint]])
            model.jnt_range[joint] = self._range(
                model.jnt_range[joint], rest=rest, joint=f"{names[joint]!r} of {robot}"
            )

    def _range(self, nominal: Sequence[float], *, rest: float, joint: str) -> Sequence[float]:
        """Return the new range of one joint."""
        low, high = (float(side) for side in nominal)
        if self.scale is not None:
            anchor = min(max(rest, low), high)
            return anchor + self.scale * (low - anchor), anchor + self.scale * (high - anchor)
        assert self.limits is not None
        if low <= rest <= high and not self.limits[0] <= rest <= self.limits[1]:
            raise ValueError(
                f"A joint's rest pose must stay in its range; that of {joint} is {rest:.6g}, and `limits` are "
                f"{list(self.limits)}. Widen them to hold it."
            )
        return self.limits

    def _check_limits(self) -> None:
        """Make a pair of numbers of the limits, or raise."""
        if isinstance(self.limits, str) or not isinstance(self.limits, Sequence) or len(self.limits) != 2:
            raise TypeError(f"`limits` must be two numbers, the lower first; got {self.limits!r}.")
        for side in self.limits:
            require_finite("limits", side)
        if not self.limits[0] < self.limits[1]:
            raise ValueError(f"`limits` must be two numbers, the lower first; got {list(self.limits)}.")
        if self.joints is None:
            raise ValueError("`limits` need `joints`: joints differ in their ranges. Name those that are meant.")
        object.__setattr__(self, "limits", tuple(self.limits))
