"""Time: the length of a simulation step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transreward_envs.shifts.base import ScaledShift

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True, slots=True)
class TimestepShift(ScaledShift):
    """Scale the simulation's time step [s], and with it the time between two actions.

    A registered pair changes the number of steps of its episodes by the inverse, so that both domains last the same
    simulated time.
    """

    kind: ClassVar[str] = "timestep"
    writes: ClassVar[tuple[str, ...]] = ("opt.timestep",)

    def apply(self, model: mujoco.MjModel) -> None:
        """Scale the time step."""
        model.opt.timestep *= self.scale
