"""The friction of the off-dynamics benchmark ODRL, with its quirks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.shifts.base import ScaledShift, model_name

if TYPE_CHECKING:
    import mujoco

RIGHT_FOOT = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class OdrlFriction(ScaledShift):
    """Hopper's and Walker2d's friction as in ODRL (Lyu et al., 2024, arXiv:2410.20750).

    There, Hopper's floor keeps its coefficient of 1, so that scales up to a half are one and the same world: a contact
    takes the larger of its two geoms' coefficients. Walker2d's right foot starts from 0.9, where Gymnasium's v5 has
    1.9, and its floor is scaled. For friction that moves as stated, use the ``friction`` shift.
    """

    kind: ClassVar[str] = "frictionodrl"
    writes: ClassVar[tuple[str, ...]] = ("geom_friction",)

    @property
    def neutral(self) -> bool:
        """Never: even at 1.0, Walker2d's right foot differs from Gymnasium's."""
        return False

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the coefficients.

        Raises:
            ValueError: The robot is neither Hopper nor Walker2d.
        """
        robot = model_name(model)
        if robot == "hopper":
            model.geom_friction[model.geom_bodyid != 0] *= self.scale
        elif robot == "walker2d":
            model.geom("foot_geom").friction[0] = RIGHT_FOOT
            model.geom_friction *= self.scale
        else:
            raise ValueError(
                f"ODRL's friction differs from the `friction` shift on Hopper and Walker2d only; got {robot!r}. Use "
                'the kind "friction".'
            )
