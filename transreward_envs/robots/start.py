"""How high above the floor a robot starts."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

GEOM = mujoco.mjtGeom
SLIDE, FREE = mujoco.mjtJoint.mjJNT_SLIDE.value, mujoco.mjtJoint.mjJNT_FREE.value


def clearance(model: mujoco.MjModel) -> float:
    """Return the distance between the rest pose's lowest point and the floor [m], below zero if it is in the floor.

    Zero for a robot that stands on no floor: without a plane, or without a way up.
    """
    floors = [geom for geom in range(model.ngeom) if model.geom_type[geom] == GEOM.mjGEOM_PLANE.value]
    if not floors or vertical_joint(model) is None:
        return 0.0
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    if not (solid := solid_geoms(model)):
        return 0.0
    lowest = min(float(data.geom_xpos[geom, 2]) - reach(model, data, geom, 2) for geom in solid)
    return lowest - float(data.geom_xpos[floors[0], 2])


def solid_geoms(model: mujoco.MjModel) -> list[int]:
    """Return the geoms of the robot that can touch something."""
    colliding = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    return [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] and colliding[geom]]


def lift_start(spec: mujoco.MjSpec, model: mujoco.MjModel, lift: float) -> None:
    """Start the robot higher by ``lift`` [m]; a vertical joint that counts from the floor does so still."""
    joint = vertical_joint(model)
    assert joint is not None
    body = spec.bodies[int(model.jnt_bodyid[joint])]
    body.pos = np.asarray(body.pos) + np.array([0.0, 0.0, lift])
    if model.jnt_type[joint] == SLIDE and model.qpos0[model.jnt_qposadr[joint]] != 0.0:
        spec.joints[joint].ref += lift


def start_height(model: mujoco.MjModel) -> float:
    """Return the vertical coordinate of the rest pose [m], 0 without one."""
    joint = vertical_joint(model)
    if joint is None:
        return 0.0
    offset = 2 if model.jnt_type[joint] == FREE else 0
    return float(model.qpos0[model.jnt_qposadr[joint] + offset])


def vertical_joint(model: mujoco.MjModel) -> int | None:
    """Return the joint by which the robot as a whole goes up and down, if it can."""
    for joint in range(model.njnt):
        if model.body_parentid[model.jnt_bodyid[joint]] == 0:
            upward = model.jnt_type[joint] == SLIDE and abs(model.jnt_axis[joint, 2]) > 0.99
            if upward or model.jnt_type[joint] == FREE:
                return joint
    return None


def reach(model: mujoco.MjModel, data: mujoco.MjData, geom: int, axis: int) -> float:
    """Return how far a geom reaches from its centre along a world axis [m]."""
    turned: NDArray[np.float64] = np.abs(data.geom_xmat[geom].reshape(3, 3)[axis])
    size, kind = model.geom_size[geom], int(model.geom_type[geom])
    if kind == GEOM.mjGEOM_SPHERE.value:
        return float(size[0])
    if kind == GEOM.mjGEOM_CAPSULE.value:
        return float(size[0] + turned[2] * size[1])
    if kind == GEOM.mjGEOM_CYLINDER.value:
        return float(size[0] * np.hypot(turned[0], turned[1]) + turned[2] * size[1])
    if kind == GEOM.mjGEOM_BOX.value:
        return float(turned @ size)
    if kind == GEOM.mjGEOM_ELLIPSOID.value:
        return float(np.linalg.norm(turned * size))
    return float(model.geom_rbound[geom])
