"""Reshaping one link of a model's description, with everything that is attached to it."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.shifts.base import body_names, model_name, select_names

Point = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A body whose first capsule reaches from one end to another, in the body's own frame [m]."""

    body: str
    geom: int
    joint: Point
    """Where the link turns: its last joint, or the body's origin where it has none."""

    start: Point
    """The capsule's end nearer to the joint."""

    end: Point
    """The other one."""

    radius: float


def find_link(model: mujoco.MjModel, body: str) -> Link:
    """Return a link of a compiled model.

    Raises:
        ValueError: There is no such body, or it has no capsule.
    """
    (index,) = select_names("body", body, body_names(model), robot=model_name(model))
    capsules = [
        geom
        for geom in np.flatnonzero(model.geom_bodyid == index)
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE.value
    ]
    if not capsules:
        raise ValueError(
            f"A limb or link shift needs a body with a capsule; {body!r} of {model_name(model)} has none. Choose "
            "another body."
        )
    geom = int(capsules[0])
    joint = _anchor(model, index)
    first, second = capsule_ends(model, geom)
    nearer_first = float(np.linalg.norm(first - joint)) <= float(np.linalg.norm(second - joint))
    start, end = (first, second) if nearer_first else (second, first)
    return Link(body=body, geom=geom, joint=joint, start=start, end=end, radius=float(model.geom_size[geom, 0]))


def reshape(spec: mujoco.MjSpec, model: mujoco.MjModel, link: Link, *, start: Point, end: Point, radius: float) -> None:
    """Give a link's capsule other ends; bodies, geoms and sites attached to it follow.

    A child whose joint lies at an end, within the capsule's radius, has it at the new end afterwards. Everything else
    moves as the end that is nearer to it. The link's own joint stays where it is.
    """
    body = spec.bodies[int(model.geom_bodyid[link.geom])]
    capsule = spec.geoms[link.geom]
    capsule.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    capsule.quat, capsule.pos = [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    capsule.fromto = [*start, *end]
    capsule.size = [radius, 0.0, 0.0]
    ends = ((link.start, start), (link.end, end))
    for child in body.bodies:
        anchor = np.asarray(child.pos) + _rotated(model, child.id, _anchor(model, child.id))
        old, new = min(ends, key=lambda pair: float(np.linalg.norm(pair[0] - anchor)))
        at_the_end = float(np.linalg.norm(old - anchor)) <= link.radius
        child.pos = np.asarray(child.pos) + (new - anchor if at_the_end else new - old)
    for part in (*(geom for geom in body.geoms if geom.id != link.geom), *body.sites):
        centre = np.asarray(model.geom_pos[part.id] if isinstance(part, mujoco.MjsGeom) else model.site_pos[part.id])
        old, new = min(ends, key=lambda pair: float(np.linalg.norm(pair[0] - centre)))
        if isinstance(part, mujoco.MjsGeom) and np.isfinite(part.fromto[0]):
            part.fromto = np.asarray(part.fromto) + np.tile(new - old, 2)
        else:
            part.pos = np.asarray(part.pos) + (new - old)


def capsule_ends(model: mujoco.MjModel, geom: int) -> tuple[Point, Point]:
    """Return both ends of a capsule's axis in its body's frame [m]."""
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    half = rotation.reshape(3, 3)[:, 2] * model.geom_size[geom, 1]
    return model.geom_pos[geom] - half, model.geom_pos[geom] + half


def child_anchors(model: mujoco.MjModel, link: Link) -> dict[str, Point]:
    """Return where each child of a link turns, in the link's frame [m], by the child's name."""
    names = body_names(model)
    return {
        names[child] or f"body {child}": model.body_pos[child] + _rotated(model, child, _anchor(model, child))
        for child in range(model.nbody)
        if names[int(model.body_parentid[child])] == link.body
    }


def _anchor(model: mujoco.MjModel, body: int) -> Point:
    """Return where a body turns, in its own frame."""
    count = int(model.body_jntnum[body])
    return np.array(model.jnt_pos[model.body_jntadr[body] + count - 1]) if count else np.zeros(3)


def _rotated(model: mujoco.MjModel, body: int, point: Point) -> Point:
    """Return a point of a body's frame, turned into its parent's."""
    turned = np.zeros(3)
    mujoco.mju_rotVecQuat(turned, point, model.body_quat[body])
    return turned
