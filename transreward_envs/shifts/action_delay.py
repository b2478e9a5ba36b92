"""Action delay: the actuators receive the action of some steps ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from transreward_envs.errors import require_count
from transreward_envs.shifts.base import ControlShift


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionDelay(ControlShift):
    """Apply each action a fixed number of steps late; until then the control is zero.

    Such a domain is Markov only with the actions under way in its observation: the domains of a registered pair append
    them (``observe_actions``).
    """

    kind: ClassVar[str] = "delay"

    steps: int
    """Delay [steps]; 0 changes nothing."""

    def __post_init__(self) -> None:
        require_count("steps", self.steps)

    @property
    def neutral(self) -> bool:
        """Whether there is no delay."""
        return self.steps == 0

    @property
    def label(self) -> str:
        """Such as ``delay-3``."""
        return f"delay-{self.steps}"
