"""Shifts: frozen values that say how one domain differs from another."""

from transreward_envs.shifts.action_delay import ActionDelay
from transreward_envs.shifts.action_noise import ActionNoise
from transreward_envs.shifts.action_repeat import ActionRepeat
from transreward_envs.shifts.actuator import ActuatorShift, BrokenActuator
from transreward_envs.shifts.base import ControlShift, ModelShift, Shift
from transreward_envs.shifts.damping import DampingShift
from transreward_envs.shifts.friction import FrictionShift
from transreward_envs.shifts.gravity import GravityShift
from transreward_envs.shifts.joint_range import JointRangeShift
from transreward_envs.shifts.mass import MassShift
from transreward_envs.shifts.parse import SHIFT_KINDS, ShiftsLike, parse_shift, parse_shifts, shifts_to_json

__all__ = [
    "SHIFT_KINDS",
    "ActionDelay",
    "ActionNoise",
    "ActionRepeat",
    "ActuatorShift",
    "BrokenActuator",
    "ControlShift",
    "DampingShift",
    "FrictionShift",
    "GravityShift",
    "JointRangeShift",
    "MassShift",
    "ModelShift",
    "Shift",
    "ShiftsLike",
    "parse_shift",
    "parse_shifts",
    "shifts_to_json",
]
