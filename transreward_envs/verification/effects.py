"""The observable effect of each model shift: a domain with it, against the same domain without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.robots.start import clearance
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
from transreward_envs.shifts.capsules import capsule_ends, child_anchors, find_link
from transreward_envs.shifts.joints import JointShift
from transreward_envs.shifts.obstacle import WALL
from transreward_envs.verification import probes
from transreward_envs.verification.optional import finger_effect, maze_effect
from transreward_envs.verification.report import Check

Checks = Iterator[Check]


@dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """The same domain with and without one shift."""

    without: mujoco.MjModel
    shifted: mujoco.MjModel


def model_effects(shift: Shift, models: Models) -> Checks:
    """Yield the checks of a model shift's own effect; none for other families."""
    for kind, effect in EFFECTS.items():
        if type(shift) is kind:
            for check in effect(shift, models):
                yield check.of(shift.label)


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
        yield Check.holds("inertia that joints feel changes", not np.allclose(before, after), "changed")


def _friction(shift: FrictionShift, models: Models) -> Checks:
    before, after = (probes.contact_friction(model) for model in (models.without, models.shifted))
    yield Check.holds("geoms that touch the floor", bool(before) and before.keys() == after.keys(), len(after))
    for geom, coefficients in before.items():
        yield Check.close(f"friction of {geom} on the floor [-]", shift.scale * coefficients, after[geom])


def _odrl_friction(shift: OdrlFriction, models: Models) -> Checks:
    """Sliding friction of the contact, from ODRL's coefficients: the larger of floor and geom."""
    planar_floor, rest = {"hopper": (1.0, 0.9), "walker2d": (0.7 * shift.scale, 0.9)}[model_name(models.without)]
    feet = {"hopper": {"foot_geom": 2.0}, "walker2d": {"foot_geom": 0.9, "foot_left_geom": 1.9}}
    for geom, measured in probes.contact_friction(models.shifted).items():
        own = feet[model_name(models.without)].get(geom, rest) * shift.scale
        yield Check.close(f"sliding friction of {geom} on the floor [-]", max(planar_floor, own), measured[0])


def _gravity(shift: GravityShift, models: Models) -> Checks:
    before, after = (probes.free_forces(model) for model in (models.without, models.shifted))
    most = float(np.abs(before).max())
    yield Check.holds("gravity acts on the robot", most > 1e-3, f"{most:.6g}")
    off = float(np.abs(after - shift.scale * before).max()) / max(most, 1e-9)  # gravity may have a share across
    yield Check.holds(f"its forces are {shift.scale} times as large [N or N m]", off < 1e-4, _range(after))


def _joint_forces(probe: Callable[[mujoco.MjModel], Any]) -> Callable[[JointShift, Models], Checks]:
    def effect(shift: JointShift, models: Models) -> Checks:
        names = names_of(models.without.njnt, models.without.joint)
        chosen = np.array([shift.joint in (None, names[joint]) for joint in models.without.dof_jntid])
        before, after = probe(models.without), probe(models.shifted)
        expected = before * np.where(chosen, shift.scale, 1.0)
        yield Check.close("force of each joint [N or N m]", expected, after)
        yield Check.holds("some joint feels it", bool(np.abs(after - before).max() > 1e-9), "felt")

    return effect


def _armature(shift: ArmatureShift, models: Models) -> Checks:
    names = names_of(models.without.njnt, models.without.joint)
    chosen = np.array([shift.joint in (None, names[joint]) for joint in models.without.dof_jntid])
    more = np.diag(np.where(chosen, shift.scale - 1.0, 0.0) * models.without.dof_armature)
    before, after = (probes.inertia_matrix(model) for model in (models.without, models.shifted))
    yield Check.close("inertia that joints feel [kg or kg m^2]", before + more, after)


def _actuator(shift: ActuatorShift | BrokenActuator, models: Models) -> Checks:
    factor = shift.scale if isinstance(shift, ActuatorShift) else 0.0
    chosen = np.array([shift.actuator in (None, name) for name in actuator_names(models.without)])
    before, after = (probes.actuator_forces(model) for model in (models.without, models.shifted))
    yield Check.close("force of each actuator [N or N m]", before * np.where(chosen, factor, 1.0)[:, None], after)


def _joint_range(shift: JointRangeShift, models: Models) -> Checks:
    model = models.without
    limited = [int(joint) for joint in np.flatnonzero(model.jnt_limited)]
    names = names_of(model.njnt, model.joint)
    joints = [joint for joint in limited if shift.joints is None or names[joint] in shift.joints]
    ranges = np.array(model.jnt_range[joints])
    if shift.scale is not None:
        rest = np.array([model.qpos0[model.jnt_qposadr[joint]] for joint in joints])
        nearest = np.clip(rest, ranges[:, 0], ranges[:, 1])[:, None]
        ranges = nearest + shift.scale * (ranges - nearest)
    else:
        ranges[:] = shift.limits
    measured = probes.joint_limits(models.shifted, joints)
    for joint, wanted, got in zip(joints, ranges, measured, strict=True):
        yield Check.close(f"where {names[joint]} is held [m or rad]", wanted, got, tolerance=1e-6)


def _limb(shift: LimbShift, models: Models) -> Checks:
    for body in shift.bodies:
        before, after = find_link(models.without, body), find_link(models.shifted, body)
        reach = [np.linalg.norm(link.end - link.joint) for link in (before, after)]
        yield Check.close(f"length of {body} from its joint [m]", shift.length * reach[0], reach[1])
        yield Check.close(f"radius of {body} [m]", shift.radius * before.radius, after.radius)
        yield _attached(body, models)
    yield _kept_clearance(models)


def _link(shift: LinkShift, models: Models) -> Checks:
    link = find_link(models.shifted, shift.body)
    ends = sorted(map(tuple, np.round(capsule_ends(models.shifted, link.geom), 9) + 0.0))
    joint = find_link(models.without, shift.body).joint
    start = shift.start if shift.start is not None else tuple(joint)
    wanted = sorted([tuple(map(float, start)), tuple(map(float, shift.end))])
    yield Check.close(f"ends of {shift.body} [m]", wanted, ends)
    if shift.radius is not None:
        yield Check.close(f"radius of {shift.body} [m]", shift.radius, link.radius)
    yield _attached(shift.body, models)
    yield _kept_clearance(models)


def _attached(body: str, models: Models) -> Check:
    """The next links begin at the ends at which they began: as near to them, and moved no farther than they."""
    before, after = (find_link(model, body) for model in (models.without, models.shifted))
    moved = min(
        max(float(np.linalg.norm(old - new)) for old, new in zip((before.start, before.end), ends, strict=True))
        for ends in ((after.start, after.end), (after.end, after.start))
    )
    kept, gaps = True, []
    for name, anchor in child_anchors(models.without, before).items():
        now = child_anchors(models.shifted, after)[name]
        old, new = (
            min(np.linalg.norm(at - end) for end in (link.start, link.end))
            for at, link in ((anchor, before), (now, after))
        )
        kept &= bool(new <= old + 1e-9 and np.linalg.norm(now - anchor) <= moved + old + 1e-9)
        gaps.append(f"{name} {new:.3g}")
    return Check.holds(
        f"what hangs on {body} is attached to it [m away]", kept, ", ".join(gaps) or "nothing hangs on it"
    )


def _kept_clearance(models: Models) -> Check:
    before, after = clearance(models.without), clearance(models.shifted)
    return Check.holds("clearance above the floor at rest is kept [m]", abs(before - after) < 1e-6, f"{after:.6g}")


def _obstacle(shift: ObstacleShift, models: Models) -> Checks:
    faces = (shift.x - shift.thickness / 2, shift.x + shift.thickness / 2)
    yield Check.close("faces of the wall [m]", faces, probes.wall_faces(models.shifted, WALL))
    model, wall = models.shifted, models.shifted.geom(WALL).id
    solid = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] and model.geom_contype[geom]]
    meets = [model.geom_contype[geom] & model.geom_conaffinity[wall] for geom in solid]
    yield Check.holds("every solid geom of the robot meets it", bool(solid) and all(meets), f"{len(solid)} geoms")


def _wind(shift: WindShift, models: Models) -> Checks:
    before, after = (probes.wind_forces(model) for model in (models.without, models.shifted))
    felt = float(np.abs(after - before).max())
    yield Check.holds("the wind pushes the resting robot [N]", felt > 1e-6, f"{felt:.6g}")
    wanted = models.without.opt.wind + np.array([shift.x, shift.y, shift.z])
    yield Check.close("wind [m/s]", wanted, models.shifted.opt.wind)


def _timestep(shift: TimestepShift, models: Models) -> Checks:
    times = []
    for model in (models.without, models.shifted):
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, 10)
        times.append(data.time)
    yield Check.close("time that ten steps take [s]", shift.scale * times[0], times[1])


def _range(values: NDArray[np.float64]) -> str:
    """Return the lowest and the highest of some numbers."""
    return f"{values.min():.6g} to {values.max():.6g}"


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
    LimbShift: _limb,
    LinkShift: _link,
    ObstacleShift: _obstacle,
    MazeShift: maze_effect,
    FingerShift: finger_effect,
    WindShift: _wind,
    TimestepShift: _timestep,
}
"""Of every model and geometry shift; a test keeps it complete."""
