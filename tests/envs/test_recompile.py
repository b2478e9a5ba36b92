"""An edit in place equals a compilation anew, for every field that may be edited in place."""

from collections.abc import Callable

import mujoco
import numpy as np
import pytest
from gymnasium.envs.mujoco.mujoco_env import expand_model_path

from tests.envs.test_shifts import FILES, model_of
from transreward_envs.differences import differing_fields
from transreward_envs.shifts import (
    ActuatorShift,
    ArmatureShift,
    DampingShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    MassShift,
    Shift,
    StiffnessShift,
    TimestepShift,
)
from transreward_envs.shifts.apply import apply_shifts


def _scale_density(spec: mujoco.MjSpec, scale: float) -> None:
    for geom in spec.geoms:
        geom.density *= scale


def _scale_friction(spec: mujoco.MjSpec, scale: float) -> None:
    for geom in spec.geoms:
        geom.friction = np.asarray(geom.friction) * scale


def _scale_gravity(spec: mujoco.MjSpec, scale: float) -> None:
    spec.option.gravity = np.asarray(spec.option.gravity) * [1.0, 1.0, scale]


def _scale_damping(spec: mujoco.MjSpec, scale: float) -> None:
    for joint in spec.joints:
        joint.damping = np.asarray(joint.damping) * scale


def _scale_gear(spec: mujoco.MjSpec, scale: float) -> None:
    for actuator in spec.actuators:
        actuator.gear = np.asarray(actuator.gear) * scale


def _scale_armature(spec: mujoco.MjSpec, scale: float) -> None:
    for joint in spec.joints:
        joint.armature *= scale


def _scale_stiffness(spec: mujoco.MjSpec, scale: float) -> None:
    for joint in spec.joints:
        joint.stiffness = np.asarray(joint.stiffness) * scale


def _scale_timestep(spec: mujoco.MjSpec, scale: float) -> None:
    spec.option.timestep *= scale


def _scale_range(spec: mujoco.MjSpec, scale: float) -> None:
    for joint in spec.joints:
        low, high = joint.range
        rest = min(max(float(joint.ref), low), high)
        joint.range = [rest + scale * (low - rest), rest + scale * (high - rest)]


RECOMPILED = [
    (MassShift, _scale_density),
    (FrictionShift, _scale_friction),
    (GravityShift, _scale_gravity),
    (DampingShift, _scale_damping),
    (ActuatorShift, _scale_gear),
    (ArmatureShift, _scale_armature),
    (StiffnessShift, _scale_stiffness),
    (TimestepShift, _scale_timestep),
    (JointRangeShift, _scale_range),
]


SPRUNG = ("HalfCheetah", "Humanoid")


@pytest.mark.parametrize(
    ("robot", "shift", "edit"),
    [(robot, *row) for row in RECOMPILED for robot in (SPRUNG if row[0] is StiffnessShift else FILES)],
)
@pytest.mark.filterwarnings("ignore:.*settotalmass.*")
def test_an_applied_shift_equals_a_recompiled_model(
    robot: str, shift: Callable[..., Shift], edit: Callable[[mujoco.MjSpec, float], None]
) -> None:
    spec = mujoco.MjSpec.from_file(expand_model_path(FILES[robot]))
    edit(spec, 0.7)
    if spec.compiler.settotalmass > 0:
        natural = 0.7 if shift is MassShift else 1.0
        spec.compiler.settotalmass = natural * spec.compiler.settotalmass
    differing = differing_fields(apply_shifts(model_of(robot), [shift(scale=0.7)]), spec.compile())
    assert differing <= {"names", "signature"}
