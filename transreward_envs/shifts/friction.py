"""Friction: every geom's coefficients, floor included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.shifts.base import ScaledShift

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class FrictionShift(ScaledShift):
    """Scale sliding, torsional and rolling friction of every geom.

    A contact takes the element-wise maximum of its two geoms, so scaling one side may do nothing: the floor is scaled
    with the robot, and the friction of each contact then moves by exactly ``scale``.
    """

    kind: ClassVar[str] = "friction"
    writes: ClassVar[tuple[str, ...]] = ("geom_friction",)

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the coefficients.

        Raises:
            ValueError: No two geoms of the model can touch with friction, so that it means nothing.
        """
        require_friction(model)
        model.geom_friction *= self.scale


def require_friction(model: mujoco.MjModel) -> None:
    """Raise ``ValueError`` unless some two geoms of different bodies can touch, in a contact with friction."""
    mask = model.geom_contype[:, None] & model.geom_conaffinity[None, :]
    other_body = model.geom_bodyid[:, None] != model.geom_bodyid[None, :]
    rough = (model.geom_condim[:, None] > 1) | (model.geom_condim[None, :] > 1)
    if not (((mask | mask.T) != 0) & other_body & rough).any():
        raise ValueError(
            "A friction shift needs a robot with contacts that have friction; this model has none, so the shift would "
            "change nothing. Choose another shift, such as mass or damping."
        )
