"""The checks of a pair."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import reduce
from operator import xor
from typing import Any

import mujoco
import numpy as np

from transreward_envs.correspondence import Correspondence, beats_permutation, layout_of
from transreward_envs.differences import added_geoms, declared_fields, differences_between, differing_fields
from transreward_envs.pairs.pair import ROLES, Pair, Role
from transreward_envs.robots.domain import Domain
from transreward_envs.robots.model import load_model
from transreward_envs.robots.start import reach, solid_geoms, start_height, vertical_joint
from transreward_envs.shifts import (
    GeometryShift,
    MazeShift,
    ModelShift,
    ObservationNoise,
    ObstacleShift,
    RewardShift,
    Shift,
)
from transreward_envs.shifts.apply import recompute_constants
from transreward_envs.verification import probes
from transreward_envs.verification.behaviour import behaviour_effects, highest_action
from transreward_envs.verification.effects import model_effects
from transreward_envs.verification.report import Check, Verification
from transreward_envs.verification.shape import Models

STEPS = 100
PENETRATION = 1e-3
"""By how much deeper the target may start in the floor than the source [m]."""


def verify(pair: Pair) -> Verification:
    """Return the checks of a pair.

    Compiled models differ in exactly the declared fields; derived constants are fresh; each shift has its own effect,
    against the same domain without it; the same actions from matched states lead elsewhere, if the dynamics differ, or
    to the same states, if they do not; the target's start is no worse than the source's. Between two robots, joints of
    one name correspond: what is mapped there and back is as it was, and permuted joints foretell steps worse.
    """
    domains = {role: make_domain(pair, role, pair.shifts(role)) for role in ROLES}
    try:
        checks = [
            *_fields(pair, domains["source"], domains["target"]),
            *(check for role in ROLES for check in _effects(pair, role, domains[role])),
            *_trajectories(pair, domains["source"], domains["target"]),
            *_starts(pair, domains["source"], domains["target"]),
            *_correspondence(pair, domains["source"], domains["target"]),
        ]
    finally:
        for domain in domains.values():
            domain.close()
    return Verification(pair=pair.name, checks=tuple(checks))


def make_domain(pair: Pair, role: Role, shifts: tuple[Shift, ...]) -> Domain:
    """Return a domain of the pair with other shifts, without wrappers."""
    return pair.robot_of(role).domain()(**{**pair.kwargs(role), "shift": shifts})


def _fields(pair: Pair, source: Domain, target: Domain) -> Iterator[Check]:
    """Compare the compiled models, and each with its constants computed again."""
    for role, domain in (("source", source), ("target", target)):
        again = copy.copy(domain.model)
        recompute_constants(again)
        stale = differing_fields(domain.model, again)
        yield Check.holds(f"{role}: derived constants are fresh", not stale, sorted(stale) or "fresh")
    if pair.source_robot is not None:
        yield Check.holds("the robots differ", pair.source_robot != pair.robot, f"{pair.source_robot}, {pair.robot}")
        return
    spaces = (source.observation_space == target.observation_space, source.action_space == target.action_space)
    yield Check.holds("both domains have one observation and one action space", all(spaces), spaces)
    differing = differing_fields(source.model, target.model, added=added_geoms(pair))
    shown = {row.field for row in differences_between(pair, source.model, target.model)}
    writes, derives = declared_fields(pair)
    undeclared = differing - writes - derives
    yield Check.holds("no other field of the models differs", not undeclared, sorted(undeclared) or "none")
    for shift in set(pair.source) ^ set(pair.target):
        if isinstance(shift, (ModelShift, GeometryShift)) and not shift.neutral:
            geoms = {"geom"} if isinstance(shift, GeometryShift) and shift.adds else set()
            written = sorted((differing & set(shift.writes)) | (shown & geoms))
            yield Check.holds(f"{shift.label}: a field that it writes differs", bool(written), ", ".join(written))
    yield Check.holds("something differs", bool(shown), ", ".join(sorted(shown)[:5]) or "nothing")


def _effects(pair: Pair, role: Role, domain: Domain) -> Iterator[Check]:
    """Check each shift of a domain against the same domain without it, and what ends an episode."""

    def make(shifts: tuple[Shift, ...]) -> Domain:
        return make_domain(pair, role, shifts)

    for index, shift in enumerate(domain.shifts):
        if shift.neutral:
            continue
        checks: Iterator[Check]
        if isinstance(shift, (ModelShift, GeometryShift)):
            others = domain.shifts[:index] + domain.shifts[index + 1 :]
            checks = model_effects(shift, Models(without=load_model(domain.fullpath, others), shifted=domain.model))
        else:
            checks = behaviour_effects(shift, domain.shifts, make)
        yield from (check.of(role) for check in checks)
    if any(isinstance(shift, GeometryShift) for shift in domain.shifts):
        yield from (check.of(role) for check in _endings(domain, make(_surroundings(domain)), dict(pair.settings)))


def _surroundings(domain: Domain) -> tuple[Shift, ...]:
    """Return the shifts that add to the model: of what stands around the robot."""
    return tuple(shift for shift in domain.shifts if isinstance(shift, GeometryShift) and shift.adds)


def _endings(domain: Domain, plain: Domain, settings: dict[str, Any]) -> Iterator[Check]:
    """Check the heights that end an episode, and that a resting robot is not at its end."""
    if domain.healthy_range:
        heights = np.array(getattr(plain, domain.healthy_range), dtype=np.float64)
        if "healthy_z_range" not in settings:
            heights = heights * start_height(domain.model) / start_height(plain.model)
        yield Check.close("an episode ends outside heights [m]", heights, getattr(domain, domain.healthy_range))
    survives = []
    for one in (plain, domain):
        one.reset(seed=0)
        one.set_state(one.init_qpos, np.zeros(one.model.nv))
        survives.append(not one.step(np.zeros_like(highest_action(one)))[2])
    fine = survives[1] or not survives[0]
    yield Check.holds("a resting robot survives its first step", fine, "it does" if fine else "it ends")


def _trajectories(pair: Pair, source: Domain, target: Domain) -> Iterator[Check]:
    """Step both domains from matched states with the same actions."""
    if pair.source_robot is not None:
        return
    differing = [shift for shift in set(pair.source) ^ set(pair.target) if not shift.neutral]
    unseen = all(isinstance(shift, (RewardShift, ObservationNoise)) for shift in differing)
    apart = max(_distance(source, target, start=start) for start in _starting_points(pair, target.model))
    if unseen:
        yield Check.holds("the same actions lead to the same states", apart == 0.0, f"{apart:.3g} apart")
    else:
        yield Check.holds("the same actions lead elsewhere", apart > 1e-6, f"{apart:.3g} apart")


def _starting_points(pair: Pair, model: mujoco.MjModel) -> list[tuple[float, float]]:
    """Return where to start [m]: at the origin, touching an obstacle, or where one maze alone has a wall."""
    walls = [
        (_beside(shift, model), 0.0)
        for shift in set(pair.source) ^ set(pair.target)
        if isinstance(shift, ObstacleShift) and vertical_joint(model) is not None
    ]
    mazes = [set(shift.walls.values()) for role in ROLES for shift in pair.shifts(role) if isinstance(shift, MazeShift)]
    walls += sorted(reduce(xor, mazes, set()))[:1]
    return walls or [(0.0, 0.0)]


def _beside(wall: ObstacleShift, model: mujoco.MjModel) -> float:
    """Return where along x a resting robot reaches 5 cm into a wall, from the origin's side [m]."""
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    side = 1.0 if wall.x > 0 else -1.0
    low = [geom for geom in solid_geoms(model) if data.geom_xpos[geom, 2] - reach(model, data, geom, 2) < wall.height]
    foremost = max(side * data.geom_xpos[geom, 0] + reach(model, data, geom, 0) for geom in low)
    return float(side * (abs(wall.x) - wall.thickness / 2 - foremost + 0.05))


def _distance(source: Domain, target: Domain, *, start: tuple[float, float]) -> float:
    """Return how far apart the states get [m or rad], each from its own rest pose."""
    rng = np.random.default_rng(0)
    for domain in (source, target):
        domain.reset(seed=0)
        qpos, qvel = domain.model.qpos0.copy(), np.zeros(domain.model.nv)
        qpos[:2] += start
        domain.set_state(qpos, qvel)
    farthest, high = 0.0, highest_action(source)
    for step in range(STEPS):
        if step % 10 == 0:
            action = np.where(rng.random(high.shape) < 0.5, -high, high)
        moved = []
        for domain in (source, target):
            domain.step(action)
            moved.append(domain.data.qpos - domain.model.qpos0)
        farthest = max(farthest, float(np.abs(moved[0] - moved[1]).max()))
        if farthest > 1e-3:
            break
    return farthest


def _starts(pair: Pair, source: Domain, target: Domain) -> Iterator[Check]:
    """Compare the rest poses: the source's with the plain robot's, the target's with the worse of both."""
    if pair.source_robot is not None:
        return
    outside, depth = np.zeros(target.model.njnt), 0.0
    for role, domain in (("source", source), ("target", target)):
        plain = load_model(domain.fullpath, _surroundings(domain))
        outside = np.maximum(outside, probes.violations(plain))
        depth = max(depth, probes.penetration(plain))
        newly, deep = (
            float((probes.violations(domain.model) - outside).max(initial=0.0)),
            probes.penetration(domain.model),
        )
        yield Check.holds(f"{role}: no joint newly starts outside its range", newly < 1e-9, f"{newly:.3g}")
        yield Check.holds(f"{role}: starts no deeper in a contact [m]", deep <= depth + PENETRATION, f"{deep:.4g}")
        outside, depth = np.maximum(outside, probes.violations(domain.model)), max(depth, deep)


def _correspondence(pair: Pair, source: Domain, target: Domain) -> Iterator[Check]:
    """Check that joints of one name do the same in two robots, where there are any."""
    if pair.source_robot is None:
        return
    try:
        layouts = layout_of(source), layout_of(target)
        correspondence = Correspondence.by_joint_names(*layouts)
    except ValueError:  # no joint corresponds by name
        return
    error = correspondence.between(*layouts).round_trip_error(correspondence.inverse.between(*reversed(layouts)))
    yield Check.holds("what is mapped to the source and back is as it was", error < 1e-9, f"{error:.3g} apart")
    if len(set(layouts[0].driven_hinges) & set(layouts[1].driven_hinges)) > 1:
        control = beats_permutation(correspondence, source, target)
        yield Check.holds("joints of one name foretell steps better than permuted ones", control.beaten, control)
