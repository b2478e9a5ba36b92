"""Shifts: frozen values that say how one domain differs from another."""

from transreward_envs.shifts.action_delay import ActionDelay
from transreward_envs.shifts.action_noise import ActionNoise
from transreward_envs.shifts.action_repeat import ActionRepeat
from transreward_envs.shifts.actuator import ActuatorShift, BrokenActuator
from transreward_envs.shifts.base import (
    ControlShift,
    GeometryShift,
    ModelShift,
    ObservationShift,
    RewardShift,
    ScaledShift,
    Shift,
)
from transreward_envs.shifts.finger import FingerShift
from transreward_envs.shifts.friction import FrictionShift
from transreward_envs.shifts.friction_odrl import OdrlFriction
from transreward_envs.shifts.gravity import GravityShift
from transreward_envs.shifts.joint_range import JointRangeShift
from transreward_envs.shifts.joints import ArmatureShift, DampingShift, StiffnessShift
from transreward_envs.shifts.limb import LimbShift
from transreward_envs.shifts.link import LinkShift
from transreward_envs.shifts.mass import MassShift
from transreward_envs.shifts.maze import MazeShift
from transreward_envs.shifts.observation_noise import ObservationNoise
from transreward_envs.shifts.obstacle import ObstacleShift
from transreward_envs.shifts.parse import SHIFT_KINDS, ShiftsLike, parse_shift, parse_shifts, shifts_to_json
from transreward_envs.shifts.reward import DirectionShift, SparseReward, VelocityShift
from transreward_envs.shifts.time_step import TimestepShift
from transreward_envs.shifts.wind import WindShift

__all__ = [
    "SHIFT_KINDS",
    "ActionDelay",
    "ActionNoise",
    "ActionRepeat",
    "ActuatorShift",
    "ArmatureShift",
    "BrokenActuator",
    "ControlShift",
    "DampingShift",
    "DirectionShift",
    "FingerShift",
    "FrictionShift",
    "GeometryShift",
    "GravityShift",
    "JointRangeShift",
    "LimbShift",
    "LinkShift",
    "MassShift",
    "MazeShift",
    "ModelShift",
    "ObservationNoise",
    "ObservationShift",
    "ObstacleShift",
    "OdrlFriction",
    "RewardShift",
    "ScaledShift",
    "Shift",
    "ShiftsLike",
    "SparseReward",
    "StiffnessShift",
    "TimestepShift",
    "VelocityShift",
    "WindShift",
    "parse_shift",
    "parse_shifts",
    "shifts_to_json",
]
