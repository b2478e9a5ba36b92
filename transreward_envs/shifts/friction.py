"""Friction: every geom's coefficients, floor included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import ModelShift

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class FrictionShift(ModelShift):
    """Scale sliding, torsional and rolling friction of every geom.

    A contact takes the element-wise maximum of its two geoms, so scaling one side may do nothing: the floor is scaled
    with the robot, and the friction of each contact then moves by exactly ``scale``.
    """

    kind: ClassVar[str] = "friction"
    writes: ClassVar[tuple[str, ...]] = ("geom_friction",)

    scale: float
    """Multiplier on the three coefficients [-]; 1.0 changes nothing."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``friction-2.0``."""
        return f"friction-{self.scale}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the coefficients.

        Raises:
            ValueError: No two geoms of the model can touch, so that friction means nothing.
        """
        if not _can_touch(model):
            raise ValueError(
                "A friction shift needs a robot with contacts; this model has none, so the shift would change "
                "nothing. Choose another shift, such as gravity or mass."
            )
        model.geom_friction *= self.scale


def _can_touch(model: mujoco.MjModel) -> bool:
    """Whether the collision masks let any two geoms of different bodies touch."""
    mask = model.geom_contype[:, None] & model.geom_conaffinity[None, :]
    other_body = model.geom_bodyid[:, None] != model.geom_bodyid[None, :]
    return bool((((mask | mask.T) != 0) & other_body).any())
