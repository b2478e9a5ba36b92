"""Actuators: weaker, stronger, or broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.shifts.base import ModelShift, ScaledShift, model_name, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class ActuatorShift(ScaledShift):
    """Scale the strength of one actuator, or of all, through its gear [N m per unit]; the action space stays."""

    kind: ClassVar[str] = "actuator"
    writes: ClassVar[tuple[str, ...]] = ("actuator_gear",)
    derives: ClassVar[tuple[str, ...]] = ("actuator_acc0",)

    actuator: str | None = None
    """Name of the actuator, or of the joint it drives; every actuator when left out."""

    @property
    def part(self) -> str | None:
        """The actuator."""
        return self.actuator

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the gears.

        Raises:
            ValueError: An actuator is no motor: its gear scales the length that it measures, too.
        """
        selected = _select(model, self.actuator)
        if model.actuator_biastype[selected].any():
            raise ValueError(
                f"An actuator shift needs motors; those of {model_name(model)} are servos, whose gear also moves the "
                "position that they hold. Choose another robot, or a broken actuator."
            )
        model.actuator_gear[selected] *= self.scale


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenActuator(ModelShift):
    """One actuator that no longer moves its joint (Eysenbach et al., 2021, arXiv:2006.13916)."""

    kind: ClassVar[str] = "broken"
    writes: ClassVar[tuple[str, ...]] = ("actuator_gear",)
    derives: ClassVar[tuple[str, ...]] = ("actuator_acc0",)

    actuator: str
    """Name of the actuator, or of the joint it drives."""

    def __post_init__(self) -> None:
        if not isinstance(self.actuator, str):
            raise TypeError(f"A broken actuator is given by its name, or its joint's; got {self.actuator!r}.")

    @property
    def neutral(self) -> bool:
        """Never: a broken actuator is a change."""
        return False

    @property
    def label(self) -> str:
        """Such as ``broken-bthigh``."""
        return f"broken-{self.actuator}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Set the gear to zero."""
        model.actuator_gear[_select(model, self.actuator)] = 0.0


def actuator_names(model: mujoco.MjModel) -> list[str]:
    """Return each actuator's name, or the name of the joint it drives where it has none."""
    joints: Sequence[int] = model.actuator_trnid[:, 0]
    return [model.actuator(index).name or model.joint(int(joints[index])).name for index in range(model.nu)]


def _select(model: mujoco.MjModel, actuator: str | None) -> list[int]:
    """Return the indices of the actuators meant."""
    return select_names("actuator", actuator, actuator_names(model), robot=model_name(model))
