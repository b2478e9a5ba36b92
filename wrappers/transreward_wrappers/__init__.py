"""Reward compensation for off-dynamics reinforcement learning, as wrappers that any agent can train on."""

import transreward_envs  # noqa: F401  # registers the ids

try:
    from transreward_wrappers.compensate import Compensate
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Compensation needs {error.name}, which is not installed: pip install 'transreward-envs[wrappers]'.",
        name=error.name,
    ) from error

from transreward_wrappers.compensate_lanes import CompensateLanes
from transreward_wrappers.compensation import Compensation, Transitions
from transreward_wrappers.entry_points import register_compensation
from transreward_wrappers.errors import CompensationError, CorruptFileError

__all__ = [
    "Compensate",
    "CompensateLanes",
    "Compensation",
    "CompensationError",
    "CorruptFileError",
    "Transitions",
    "register_compensation",
]
