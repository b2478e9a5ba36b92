"""Action repeat: each action is held for several control steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from transreward_envs.errors import require_count
from transreward_envs.shifts.base import ControlShift


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionRepeat(ControlShift):
    """Hold each action for ``times`` control steps of the robot and add their rewards up.

    A registered pair shortens its episodes by the same factor, so that both domains last the same simulated time.
    """

    kind: ClassVar[str] = "repeat"

    times: int
    """Control steps per action; 1 changes nothing."""

    def __post_init__(self) -> None:
        require_count("times", self.times, at_least=1)

    @property
    def neutral(self) -> bool:
        """Whether each action lasts one control step."""
        return self.times == 1

    @property
    def label(self) -> str:
        """Such as ``repeat-4``."""
        return f"repeat-{self.times}"
