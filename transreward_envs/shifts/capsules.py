"""Reshaping one link of a model's description, with everything that is attached to it."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.shifts.base import body_names, model_name, select_names

Point = NDArray[np.float64]
SHORTEST = 1e-4
"""Length of the shortest link [m]."""


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

    def share(self, point: Point) -> float:
        """Return how far along the capsule's axis the nearest point of it lies: 0 at the start, 1 at the end."""
        axis = self.end - self.start
        return float(np.clip((point - self.start) @ axis / (axis @ axis), 0.0, 1.0))


def find_link(model: mujoco.MjModel, body: str) -> Link:
    """Return a link of a compiled model.

    Raises:
        ValueError: There is no such body, or it has no capsule.
    """
    (index,) = select_names("body", body, body_names(model), robot=model_name(model))
    if index == 0:
        raise ValueError(f"A limb or link shift needs a body of the robot; {body!r} is none. Choose another body.")
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


def reshape(
    spec: mujoco.MjSpec,
    model: mujoco.MjModel,
    link: Link,
    *,
    start: Point,
    end: Point,
    radius: float,
    join: bool = False,
) -> None:
    """Give a link's capsule other ends; bodies, geoms and sites on it follow, its own joint stays.

    What is on the link moves as the nearest point of the capsule's axis does. With ``join``, a child whose joint lies
    at an end, within the capsule's radius, turns at the new end itself.

    Raises:
        ValueError: The new ends are less than a tenth of a millimetre apart.
    """
    if float(np.linalg.norm(end - start)) < SHORTEST:
        raise ValueError(f"A link must be at least {SHORTEST} m long; {link.body!r} would not be. Make it longer.")
    body = spec.bodies[int(model.geom_bodyid[link.geom])]
    capsule = spec.geoms[link.geom]
    capsule.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    capsule.quat, capsule.pos = [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    capsule.fromto = [*start, *end]
    capsule.size = [radius, 0.0, 0.0]

    def moved(point: Point, *, joins: bool = False) -> Point:
        share = link.share(point)
        old, new = (link.start, start) if share < 0.5 else (link.end, end)
        if joins and min(share, 1.0 - share) <= 0.1 and float(np.linalg.norm(point - old)) <= link.radius:
            return new - point
        return (1.0 - share) * (start - link.start) + share * (end - link.end)

    for child in body.bodies:
        anchor = np.asarray(child.pos) + _rotated(model, child.id, _anchor(model, child.id))
        child.pos = np.asarray(child.pos) + moved(anchor, joins=join)
    for part in (*(geom for geom in body.geoms if geom.id != link.geom), *body.sites):
        is_geom = isinstance(part, mujoco.MjsGeom)
        way = moved(np.array(model.geom_pos[part.id] if is_geom else model.site_pos[part.id]))
        if is_geom and np.isfinite(part.fromto[0]):
            part.fromto = np.asarray(part.fromto) + np.tile(way, 2)
        else:
            part.pos = np.asarray(part.pos) + way


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
