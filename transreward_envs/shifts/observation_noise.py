"""Observation noise: the agent sees something near the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from transreward_envs.errors import require_non_negative
from transreward_envs.shifts.base import ObservationShift


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservationNoise(ObservationShift):
    """Add N(0, std^2) to every entry of the robot's observation, drawn at reset and at each step.

    The draws come from a stream of the env's own seed. Reward and termination see the true state, and so do the past
    actions and shift values that an observation may hold.
    """

    kind: ClassVar[str] = "observation_noise"

    std: float
    """Standard deviation [units of the observation]; 0.0 changes nothing."""

    def __post_init__(self) -> None:
        require_non_negative("std", self.std)

    @property
    def neutral(self) -> bool:
        """Whether the deviation is zero."""
        return self.std == 0.0

    @property
    def label(self) -> str:
        """Such as ``obsnoise-0.1``."""
        return f"obsnoise-{self.std}"
