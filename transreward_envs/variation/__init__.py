"""Shifts that vary: drawn at reset, scheduled over episodes, changed within one."""

from transreward_envs.variation.changes import ShiftChange, parse_changes
from transreward_envs.variation.laws import (
    Constant,
    Cyclic,
    Law,
    LogUniform,
    RandomWalk,
    StepChange,
    Uniform,
)
from transreward_envs.variation.varying import VaryingShifts

__all__ = [
    "Constant",
    "Cyclic",
    "Law",
    "LogUniform",
    "RandomWalk",
    "ShiftChange",
    "StepChange",
    "Uniform",
    "VaryingShifts",
    "parse_changes",
]
