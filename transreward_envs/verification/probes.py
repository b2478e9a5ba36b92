"""What the simulator makes of a compiled model, measured by forward computations on a state of our choice."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.robots.start import FREE, vertical_joint

Array = NDArray[np.float64]
DISABLE = mujoco.mjtDisableBit
LIMIT = mujoco.mjtConstraint.mjCNSTR_LIMIT_JOINT.value
PLANE = mujoco.mjtGeom.mjGEOM_PLANE.value


def contact_friction(model: mujoco.MjModel) -> dict[str, Array]:
    """Return the friction that the solver sees between the floor and each geom that can touch it.

    The robot is lowered until the geom touches; the coefficients are read from the contact: two sliding, one
    torsional, two rolling [-]. Empty for a robot without a floor or without a way down to it.
    """
    floor, joint = _floor(model), vertical_joint(model)
    if floor is None or joint is None:
        return {}
    address = int(model.jnt_qposadr[joint]) + (2 if model.jnt_type[joint] == FREE else 0)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    depths = data.geom_xpos[:, 2] - data.geom_xpos[floor, 2]
    found = {}
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] == model.geom_bodyid[floor] or not _collide(model, floor, geom):
            continue
        data.qpos[address] = model.qpos0[address] - depths[geom]
        mujoco.mj_fwdPosition(model, data)
        for contact in data.contact:
            if {int(contact.geom[0]), int(contact.geom[1])} == {floor, geom}:
                found[model.geom(geom).name or f"geom {geom}"] = np.array(contact.friction)
                break
    return found


def free_forces(model: mujoco.MjModel) -> Array:
    """Return the generalised forces of gravity on the robot, a tenth of a unit from rest [N or N m], as ``(nv,)``."""
    data = _bent(model)
    mujoco.mj_forward(model, data)
    return np.array(data.qfrc_bias)


def damping_forces(model: mujoco.MjModel) -> Array:
    """Return the forces that joints oppose to unit velocity [N or N m], as ``(nv,)``."""
    data = mujoco.MjData(model)
    data.qvel[:] = 1.0
    mujoco.mj_forward(model, data)
    return np.array(data.qfrc_damper)


def spring_forces(model: mujoco.MjModel) -> Array:
    """Return the forces of joints' springs a tenth of a unit away from rest [N or N m], as ``(nv,)``."""
    data = _bent(model)
    mujoco.mj_forward(model, data)
    return np.array(data.qfrc_spring)


def inertia_matrix(model: mujoco.MjModel) -> Array:
    """Return the joint-space inertia of the rest pose [kg, kg m, kg m^2], as ``(nv, nv)``."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    matrix = np.zeros((model.nv, model.nv))
    for dof in range(model.nv):
        unit = np.zeros(model.nv)
        unit[dof] = 1.0
        mujoco.mj_mulM(model, data, matrix[dof], unit)
    return matrix


def actuator_forces(model: mujoco.MjModel) -> Array:
    """Return the generalised forces of each actuator at unit control [N or N m], as ``(nu, nv)``."""
    data = mujoco.MjData(model)
    rows = []
    for actuator in range(model.nu):
        data.ctrl[:] = 0.0
        data.ctrl[actuator] = 1.0
        mujoco.mj_forward(model, data)
        rows.append(np.array(data.qfrc_actuator))
    return np.array(rows)


def fluid_forces(model: mujoco.MjModel) -> Array:
    """Return the forces of the medium on the robot at rest and at unit velocity [N or N m], as ``(2, nv)``."""
    data, rows = mujoco.MjData(model), []
    for velocity in (0.0, 1.0):
        data.qvel[:] = velocity
        mujoco.mj_forward(model, data)
        rows.append(np.array(data.qfrc_fluid))
    return np.array(rows)


def joint_limits(model: mujoco.MjModel, joints: Sequence[int]) -> Array:
    """Return where the solver begins to hold each joint, as ``(len(joints), 2)`` [m or rad], by bisection."""
    probe = copy.copy(model)
    probe.opt.disableflags |= DISABLE.mjDSBL_CONTACT.value | DISABLE.mjDSBL_EQUALITY.value
    data = mujoco.MjData(probe)
    limits = np.zeros((len(joints), 2))
    for row, joint in enumerate(joints):
        address = int(probe.jnt_qposadr[joint])
        for side, sign in enumerate((-1.0, 1.0)):
            past, within = sign * 1e3, float(np.mean(probe.jnt_range[joint]))
            data.qpos[:] = probe.qpos0
            for _ in range(60):
                middle = (past + within) / 2
                data.qpos[address] = middle
                mujoco.mj_fwdPosition(probe, data)
                held = any(data.efc_id[i] == joint for i in range(data.nefc) if data.efc_type[i] == LIMIT)
                past, within = (middle, within) if held else (past, middle)
            limits[row, side] = within + sign * float(probe.jnt_margin[joint])
    return limits


def wall_faces(model: mujoco.MjModel, wall: str, *, height: float) -> Array:
    """Return where along x rays meet a wall [m], from behind and from the front, as ``(4, 2)``.

    The rays go low and high, on both sides of a planar robot.
    """
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    centre = np.array(data.geom(wall).xpos)
    faces = []
    for y in (-9.9, 9.9):
        for z in (0.02 * height, 0.98 * height):
            for sign in (-1.0, 1.0):
                start = np.array([centre[0] + sign * 50.0, y, z])
                distance = _ray(model, data, start, np.array([-sign, 0.0, 0.0]), model.geom(wall).id)
                faces.append(start[0] - sign * distance)
    return np.array(faces).reshape(4, 2)


def wall_top(model: mujoco.MjModel, wall: str) -> float:
    """Return where a ray from above meets a wall [m]."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    start = np.array(data.geom(wall).xpos) + np.array([0.0, 5.0, 50.0])
    return float(start[2] - _ray(model, data, start, np.array([0.0, 0.0, -1.0]), model.geom(wall).id))


def violations(model: mujoco.MjModel) -> Array:
    """Return by how much the rest pose leaves each joint's range, as ``(njnt,)`` [m or rad]."""
    outside = np.zeros(model.njnt)
    for joint in np.flatnonzero(model.jnt_limited):
        rest = model.qpos0[model.jnt_qposadr[joint]]
        low, high = model.jnt_range[joint]
        outside[joint] = max(low - rest, rest - high, 0.0)
    return outside


def penetration(model: mujoco.MjModel) -> float:
    """Return how deep the rest pose's deepest contact is [m]."""
    data = mujoco.MjData(model)
    mujoco.mj_fwdPosition(model, data)
    return max((-float(contact.dist) for contact in data.contact), default=0.0)


def _ray(model: mujoco.MjModel, data: mujoco.MjData, start: Array, direction: Array, geom: int) -> float:
    """Return how far a ray goes to a geom [m], NaN if it meets something else or nothing."""
    hit = np.zeros(1, dtype=np.int32)
    distance = mujoco.mj_ray(model, data, start, direction, None, 1, -1, hit)
    return float(distance) if hit[0] == geom else float("nan")


def _bent(model: mujoco.MjModel) -> mujoco.MjData:
    """Return the rest pose with each joint a tenth of a unit away."""
    data = mujoco.MjData(model)
    for joint in range(model.njnt):
        if model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_FREE.value:
            data.qpos[model.jnt_qposadr[joint]] += 0.1
    return data


def _floor(model: mujoco.MjModel) -> int | None:
    """Return the plane that something can touch."""
    for geom in np.flatnonzero(model.geom_type == PLANE):
        if any(_collide(model, int(geom), other) for other in range(model.ngeom) if other != geom):
            return int(geom)
    return None


def _collide(model: mujoco.MjModel, first: int, second: int) -> bool:
    """Whether the collision masks let two geoms touch."""
    there = model.geom_contype[first] & model.geom_conaffinity[second]
    return bool(there or model.geom_contype[second] & model.geom_conaffinity[first])
