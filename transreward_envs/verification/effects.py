"""The observable effect of each model shift: a domain with it, against the same domain without it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.shifts import (
    ActuatorShift,
    ArmatureShift,
    BrokenActuator,
    DampingShift,
    FingerShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    LimbShift,
    LinkShift,
    MassShift,
    MazeShift,
    ObstacleShift,
    OdrlFriction,
    Shift,
    StiffnessShift,
    TimestepShift,
    WindShift,
)
from transreward_envs.shifts.actuator import actuator_names
from transreward_envs.shifts.base import body_names, model_name, names_of
from transreward_envs.shifts.joints import JointShift
from transreward_envs.verification import probes
from transreward_envs.verification.optional import finger_effect, maze_effect
from transreward_envs.verification.report import Check
from transreward_envs.verification.shape import Models, limb_effect, link_effect, obstacle_effect

Checks = Iterator[Check]


def model_effects(shift: Shift, models: Models) -> Checks:
    """Yield the checks of a model shift's own effect; none for other families."""
    if effect := EFFECTS.get(type(shift)):
        yield from (check.of(shift.label) for check in effect(shift, models))


def _mass(shift: MassShift, models: Models) -> Checks:
    chosen = [shift.body in (None, name) for name in body_names(models.without)]
    masses = models.without.body_mass * np.where(chosen, shift.scale, 1.0)
    yield Check.close("total mass [kg]", masses.sum(), mujoco.mj_getTotalmass(models.shifted))
    inertias = models.without.body_inertia * np.where(chosen, shift.scale, 1.0)[:, None]
    yield Check.close("mass of each body [kg]", masses, models.shifted.body_mass)
    yield Check.close("inertia of each body [kg m^2]", inertias, models.shifted.body_inertia)
    before, after = (probes.inertia_matrix(model) for model in (models.without, models.shifted))
    if shift.body is None:
        armature = np.diag(models.without.dof_armature)
        yield Check.close("inertia that joints feel", armature + shift.scale * (before - armature), after)
    else:
        change = float(np.abs(after - before).max())
        yield Check.holds("inertia that joints feel changes", change > 1e-12, f"by {change:.3g}")


def _friction(shift: FrictionShift, models: Models) -> Checks:
    before, after = (probes.contact_friction(model) for model in (models.without, models.shifted))
    yield Check.holds("geoms that touch the floor", bool(before) and before.keys() == after.keys(), len(after))
    for geom, coefficients in before.items():
        yield Check.close(f"friction of {geom} on the floor [-]", shift.scale * coefficients, after[geom])


def _odrl_friction(shift: OdrlFriction, models: Models) -> Checks:
    """Friction of the contact, from ODRL's coefficients: the larger of floor and geom."""
    robot = model_name(models.without)
    floor = np.array([1.0, 0.005, 0.0001]) if robot == "hopper" else shift.scale * np.array([0.7, 0.1, 0.1])
    across = (0.005, 0.0001) if robot == "hopper" else (0.1, 0.1)
    feet = {"hopper": {"foot_geom": 2.0}, "walker2d": {"foot_geom": 0.9, "foot_left_geom": 1.9}}[robot]
    for geom, measured in probes.contact_friction(models.shifted).items():
        own = shift.scale * np.array([feet.get(geom, 0.9), *across])
        wanted = np.maximum(floor, own)[[0, 0, 1, 2, 2]]
        yield Check.close(f"friction of {geom} on the floor [-]", wanted, measured)


def _gravity(shift: GravityShift, models: Models) -> Checks:
    wanted = models.without.opt.gravity * np.array([1.0, 1.0, shift.scale])
    yield Check.close("gravity [m/s^2]", wanted, models.shifted.opt.gravity)
    expected = copy.copy(models.without)
    expected.opt.gravity[:] = wanted
    before, stated, after = (probes.free_forces(model) for model in (models.without, expected, models.shifted))
    felt = float(np.abs(after - before).max())
    yield Check.holds("gravity acts on the robot", felt > 1e-3 * abs(shift.scale - 1.0), f"{felt:.6g}")
    yield Check.close(f"forces of {shift.scale} times the gravity [N or N m]", stated, after)


def _dofs(shift: JointShift, model: mujoco.MjModel) -> NDArray[np.bool_]:
    """Return which degrees of freedom a shift means, as ``(nv,)``."""
    names = names_of(model.njnt, model.joint)
    return np.array([shift.joint in (None, names[joint]) for joint in model.dof_jntid])


def _joint_forces(probe: Callable[[mujoco.MjModel], Any]) -> Callable[[JointShift, Models], Checks]:
    def effect(shift: JointShift, models: Models) -> Checks:
        chosen = _dofs(shift, models.without)
        before, after = probe(models.without), probe(models.shifted)
        expected = before * np.where(chosen, shift.scale, 1.0)
        yield Check.close("force of each joint [N or N m]", expected, after)
        change = float(np.abs(after - before).max())
        yield Check.holds("some joint feels it", change > 1e-12, f"{change:.3g}")

    return effect


def _armature(shift: ArmatureShift, models: Models) -> Checks:
    chosen = _dofs(shift, models.without)
    more = np.diag(np.where(chosen, shift.scale - 1.0, 0.0) * models.without.dof_armature)
    before, after = (probes.inertia_matrix(model) for model in (models.without, models.shifted))
    yield Check.close("inertia that joints feel [kg or kg m^2]", before + more, after)


def _actuator(shift: ActuatorShift | BrokenActuator, models: Models) -> Checks:
    factor = shift.scale if isinstance(shift, ActuatorShift) else 0.0
    chosen = np.array([shift.actuator in (None, name) for name in actuator_names(models.without)])
    before, after = (probes.actuator_forces(model) for model in (models.without, models.shifted))
    yield Check.close("force of each actuator [N or N m]", before * np.where(chosen, factor, 1.0)[:, None], after)


def _joint_range(shift: JointRangeShift, models: Models) -> Checks:
    model, names = models.without, names_of(models.without.njnt, models.without.joint)
    limited = [int(joint) for joint in np.flatnonzero(model.jnt_limited)]
    joints = [joint for joint in limited if shift.joints is None or names[joint] in shift.joints]
    ranges = np.array(model.jnt_range)
    for joint in joints:
        rest = float(model.qpos0[model.jnt_qposadr[joint]])
        low, high = model.jnt_range[joint]
        nearest = min(max(rest, low), high)
        scaled = [nearest + (shift.scale or 1.0) * (side - nearest) for side in (low, high)]
        ranges[joint] = scaled if shift.limits is None else shift.limits
    yield Check.close("range of each joint [m or rad]", ranges, models.shifted.jnt_range)
    for joint, got in zip(joints, probes.joint_limits(models.shifted, joints), strict=True):
        yield Check.close(f"where {names[joint]} is held [m or rad]", ranges[joint], got)


def _wind(shift: WindShift, models: Models) -> Checks:
    wanted = models.without.opt.wind + np.array([shift.x, shift.y, shift.z])
    density = models.without.opt.density if shift.density is None else shift.density
    yield Check.close("wind [m/s]", wanted, models.shifted.opt.wind)
    yield Check.close("density of the medium [kg/m^3]", density, models.shifted.opt.density)
    before, after = (probes.fluid_forces(model) for model in (models.without, models.shifted))
    felt = float(np.abs(after - before).max())
    yield Check.holds("the medium acts on the robot [N]", felt > 1e-6, f"{felt:.6g}")


def _timestep(shift: TimestepShift, models: Models) -> Checks:
    times = []
    for model in (models.without, models.shifted):
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, 10)
        times.append(data.time)
    yield Check.close("time that ten steps take [s]", shift.scale * times[0], times[1])


EFFECTS: dict[type[Shift], Callable[[Any, Models], Checks]] = {
    MassShift: _mass,
    FrictionShift: _friction,
    OdrlFriction: _odrl_friction,
    GravityShift: _gravity,
    DampingShift: _joint_forces(probes.damping_forces),
    StiffnessShift: _joint_forces(probes.spring_forces),
    ArmatureShift: _armature,
    ActuatorShift: _actuator,
    BrokenActuator: _actuator,
    JointRangeShift: _joint_range,
    LimbShift: limb_effect,
    LinkShift: link_effect,
    ObstacleShift: obstacle_effect,
    MazeShift: maze_effect,
    FingerShift: finger_effect,
    WindShift: _wind,
    TimestepShift: _timestep,
}
"""Of every model and geometry shift; a test keeps it complete."""
