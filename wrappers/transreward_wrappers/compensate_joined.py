"""Compensation of environments that are stepped one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from transreward_envs.training.joined import JoinedEnvironments
from transreward_wrappers.bound import HasCompensation
from transreward_wrappers.compensation import Env


class CompensateJoined(HasCompensation, JoinedEnvironments):
    """Environments that are wrapped one by one, have one compensation at work, and show it as lanes do."""

    def __init__(self, make_each: Sequence[Callable[[], Env]], **settings: Any) -> None:
        super().__init__(make_each, **settings)
        self._bound = self.shared("_bound")
