"""Reward compensation for off-dynamics reinforcement learning, as wrappers that any agent can train on."""

import transreward_envs  # noqa: F401  # registers the ids
from transreward_wrappers.compensate import Compensate
from transreward_wrappers.compensation import Compensation, Transitions
from transreward_wrappers.entry_points import register_compensation
from transreward_wrappers.errors import CompensationError, CorruptFileError

__all__ = [
    "Compensate",
    "Compensation",
    "CompensationError",
    "CorruptFileError",
    "Transitions",
    "register_compensation",
]
