"""What ``gymnasium.make_vec`` calls: ``transreward_envs.batched.entry_points:Hopper`` makes lanes of Hopper."""

from __future__ import annotations

from functools import partial
from typing import Any

from transreward_envs.batched.domain import BatchedDomain
from transreward_envs.batched.tasks import TASKS


def __getattr__(name: str) -> Any:
    """Return what makes lanes of a robot."""
    if name not in TASKS:
        raise AttributeError(name)
    return partial(BatchedDomain, robot=name)
