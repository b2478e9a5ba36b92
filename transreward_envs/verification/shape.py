"""The observable effects of shifts of a robot's shape, and of what stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.robots.start import clearance, reach, solid_geoms
from transreward_envs.shifts import LimbShift, LinkShift, ObstacleShift
from transreward_envs.shifts.base import body_names
from transreward_envs.shifts.capsules import Link, capsule_ends, child_anchors, find_link
from transreward_envs.shifts.obstacle import WALL, WIDTH
from transreward_envs.verification import probes
from transreward_envs.verification.report import Check

Point = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """The same domain with and without one shift."""

    without: mujoco.MjModel
    shifted: mujoco.MjModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Reshaped:
    """A link, and where its ends should be now."""

    link: Link
    start: Point
    end: Point
    radius: float
    joins: bool
    """Whether a child that turns at an end turns exactly there now."""

    def carried(self, point: Point, *, child: bool = False) -> Point:
        """Return where a point of the link should be now: it keeps to the nearest point of the axis."""
        share = self.link.share(point)
        old, new = (self.link.start, self.start) if share < 0.5 else (self.link.end, self.end)
        if child and self.joins and min(share, 1 - share) <= 0.1 and np.linalg.norm(point - old) <= self.link.radius:
            return new
        return point + (1.0 - share) * (self.start - self.link.start) + share * (self.end - self.link.end)


def limb_effect(shift: LimbShift, models: Models) -> Iterator[Check]:
    """Each end lies on the line from the joint, as much farther as stated."""
    wanted = {}
    for body in shift.bodies:
        link = find_link(models.without, body)
        start, end = (link.joint + shift.length * (point - link.joint) for point in (link.start, link.end))
        wanted[body] = Reshaped(link=link, start=start, end=end, radius=shift.radius * link.radius, joins=False)
    yield from _reshaped(wanted, models)


def link_effect(shift: LinkShift, models: Models) -> Iterator[Check]:
    """The ends are the stated ones, each next to where it was."""
    link = find_link(models.without, shift.body)
    given = [link.joint if shift.start is None else np.array(shift.start), np.array(shift.end)]
    if sum(map(np.linalg.norm, (link.start - given[1], link.end - given[0]))) < sum(
        map(np.linalg.norm, (link.start - given[0], link.end - given[1]))
    ):
        given.reverse()
    radius = link.radius if shift.radius is None else shift.radius
    yield from _reshaped(
        {shift.body: Reshaped(link=link, start=given[0], end=given[1], radius=radius, joins=True)}, models
    )


def obstacle_effect(shift: ObstacleShift, models: Models) -> Iterator[Check]:
    """Rays from all sides find the wall's faces; the robot bumps into it, and stands clear of it at rest."""
    model, (back, front) = models.shifted, (shift.x - shift.thickness / 2, shift.x + shift.thickness / 2)
    yield Check.close("faces of the wall [m]", [[back, front]] * 4, probes.wall_faces(model, WALL, height=shift.height))
    yield Check.close("top of the wall [m]", shift.height, probes.wall_top(model, WALL))
    width = model.geom(WALL).size[1]
    yield Check.close("half its width [m]", WIDTH / 2, width)
    wall, solid = model.geom(WALL).id, solid_geoms(model)
    meets = [bool(model.geom_contype[geom] & model.geom_conaffinity[wall]) for geom in solid]
    yield Check.holds("every solid geom of the robot meets it", bool(solid) and all(meets), f"{len(solid)} geoms")
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    inside = [
        geom
        for geom in solid
        if data.geom_xpos[geom, 0] + reach(model, data, geom, 0) > back
        and data.geom_xpos[geom, 0] - reach(model, data, geom, 0) < front
        and data.geom_xpos[geom, 2] - reach(model, data, geom, 2) < shift.height
    ]
    names = ", ".join(model.geom(geom).name for geom in inside)
    yield Check.holds("the robot stands clear of it at rest", not inside, names or "clear")


def _reshaped(wanted: dict[str, Reshaped], models: Models) -> Iterator[Check]:
    """Compare every part of both models: the links as stated, what is on them carried along, the rest as it was."""
    before, after = models.without, models.shifted
    for body, link in wanted.items():
        now = find_link(after, body)
        ends = np.array(sorted(map(tuple, np.round(capsule_ends(after, now.geom), 9) + 0.0)))
        stated = np.array(sorted(map(tuple, np.round([link.start, link.end], 9) + 0.0)))
        yield Check.close(f"ends of {body} [m]", stated, ends, absolute=1e-8)
        yield Check.close(f"radius of {body} [m]", link.radius, now.radius)
        anchors = child_anchors(before, link.link)
        carried = [link.carried(anchor, child=True) for anchor in anchors.values()]
        yield Check.close(
            f"where {', '.join(anchors) or 'nothing'} turns on {body} [m]",
            np.array(carried),
            np.array(list(child_anchors(after, now).values())),
            tolerance=1e-5,
        )
    names = body_names(before)
    owners = [wanted.get(names[int(body)]) for body in before.geom_bodyid]
    capsules = {link.link.geom for link in wanted.values()}
    geoms = np.array(
        [pos if owner is None else owner.carried(pos) for pos, owner in zip(before.geom_pos, owners, strict=True)]
    )
    rest = [geom for geom in range(before.ngeom) if geom not in capsules]
    yield Check.close("every other geom's place [m]", geoms[rest], after.geom_pos[rest], absolute=1e-8)
    yield Check.close("every other geom's size [m]", before.geom_size[rest], after.geom_size[rest])
    sites = [
        pos if (owner := wanted.get(names[int(body)])) is None else owner.carried(pos)
        for pos, body in zip(before.site_pos, before.site_bodyid, strict=True)
    ]
    yield Check.close("every site's place [m]", np.array(sites), np.array(list(after.site_pos)), absolute=1e-8)
    yield Check.close("every joint's place in its body [m]", before.jnt_pos, after.jnt_pos)
    still = [
        body
        for body in range(1, before.nbody)
        if names[int(before.body_parentid[body])] not in wanted and before.body_parentid[body]
    ]
    yield Check.close("every other body's place [m]", before.body_pos[still], after.body_pos[still])
    yield from _masses(set(wanted), models)
    heights = clearance(before), clearance(after)
    what = "clearance above the floor at rest is kept [m]"
    yield Check.holds(what, abs(heights[0] - heights[1]) < 1e-6, f"{heights[1]:.6g}")


def _masses(reshaped: set[str], models: Models) -> Iterator[Check]:
    """Mass follows volume at the same density, but for one factor where the total is fixed."""
    names = body_names(models.without)
    ratios = []
    for body in range(1, models.without.nbody):
        volumes = [_volume(model, body) for model in (models.without, models.shifted)]
        if volumes[0] > 0.0 and np.isfinite(volumes).all():
            growth = volumes[1] / volumes[0] if names[body] in reshaped else 1.0
            ratios.append(models.shifted.body_mass[body] / models.without.body_mass[body] / growth)
    kept = np.isclose(mujoco.mj_getTotalmass(models.without), mujoco.mj_getTotalmass(models.shifted))
    common = float(np.median(ratios)) if kept else 1.0
    yield Check.close("density of each body, to what it was [-]", np.full(len(ratios), common), np.array(ratios))


def _volume(model: mujoco.MjModel, body: int) -> float:
    """Return the volume of a body's geoms [m^3], NaN for one with other shapes than capsules and spheres."""
    total = 0.0
    for geom in np.flatnonzero(model.geom_bodyid == body):
        radius, half = model.geom_size[geom, :2]
        ball = 4.0 / 3.0 * np.pi * radius**3
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_SPHERE.value:
            total += ball
        elif model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE.value:
            total += ball + 2.0 * np.pi * radius**2 * half
        else:
            return float("nan")
    return total
