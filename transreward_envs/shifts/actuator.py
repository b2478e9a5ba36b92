"""Actuators: weaker, stronger, or broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import ModelShift, select_names

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class ActuatorShift(ModelShift):
    """Scale the strength of one actuator, or of all, through its gear; the action space stays as it is."""

    kind: ClassVar[str] = "actuator"
    writes: ClassVar[tuple[str, ...]] = ("actuator_gear",)
    derives: ClassVar[tuple[str, ...]] = ("actuator_acc0",)

    scale: float
    """Multiplier on the gear [N m per unit of control]; 1.0 changes nothing."""

    actuator: str | None = None
    """Name of the actuator, or of the joint it drives; every actuator when left out."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``actuator-0.5`` or ``actuator-bthigh-0.5``."""
        return f"actuator-{self.actuator}-{self.scale}" if self.actuator else f"actuator-{self.scale}"

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the gears."""
        model.actuator_gear[_select(model, self.actuator)] *= self.scale


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenActuator(ModelShift):
    """One actuator that no longer moves its joint (Eysenbach et al., 2021, arXiv:2006.13916)."""

    kind: ClassVar[str] = "broken"
    writes: ClassVar[tuple[str, ...]] = ("actuator_gear",)
    derives: ClassVar[tuple[str, ...]] = ("actuator_acc0",)

    actuator: str
    """Name of the actuator, or of the joint it drives."""

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
    joints = model.actuator_trnid[:, 0]
    return [model.actuator(index).name or model.joint(int(joints[index])).name for index in range(model.nu)]


def _select(model: mujoco.MjModel, actuator: str | None) -> list[int]:
    """Return the indices of the actuators meant."""
    robot = model.names.split(b"\0")[0].decode()
    return select_names("actuator", actuator, actuator_names(model), robot=robot)
