"""The checks of a pair."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from functools import reduce
from operator import xor
from typing import Any

import numpy as np

from transreward_envs.differences import added_geoms, declared_fields, differing_fields, pair_differences
from transreward_envs.pairs.pair import ROLES, Pair, Role
from transreward_envs.robots.domain import Domain
from transreward_envs.robots.model import load_model
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
from transreward_envs.verification.effects import Models, model_effects
from transreward_envs.verification.report import Check, Verification

STEPS = 100
PENETRATION = 1e-3
"""By how much deeper the target may start in the floor than the source [m]."""


def verify(pair: Pair) -> Verification:
    """Return the checks of a pair.

    Compiled models differ in exactly the declared fields; derived constants are fresh; each shift has its own effect,
    against the same domain without it; the same actions from matched states lead elsewhere, if the dynamics differ, or
    to the same states, if they do not; the target's start is no worse than the source's.
    """
    domains = {role: make_domain(pair, role, pair.shifts(role)) for role in ROLES}
    try:
        checks = [
            *_fields(pair, domains["source"], domains["target"]),
            *(check for role in ROLES for check in _effects(pair, role, domains[role])),
            *_trajectories(pair, domains["source"], domains["target"]),
            *_starts(pair, domains["source"], domains["target"]),
        ]
    finally:
        for domain in domains.values():
            domain.close()
    return Verification(pair=pair.name, checks=tuple(checks))


def make_domain(pair: Pair, role: Role, shifts: tuple[Shift, ...]) -> Domain:
    """Return a domain of the pair with other shifts, without wrappers."""
    module, name = pair.robot_of(role).entry_point.split(":")
    domain: Domain = getattr(importlib.import_module(module), name)(**{**pair.kwargs(role), "shift": shifts})
    return domain


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
    shown = {row.field for row in pair_differences(pair)}
    writes, derives = declared_fields(pair)
    undeclared = differing - writes - derives
    yield Check.holds("no other field of the models differs", not undeclared, sorted(undeclared) or "none")
    for shift in set(pair.source) ^ set(pair.target):
        if isinstance(shift, (ModelShift, GeometryShift)) and not shift.neutral:
            geoms = {"geom"} if isinstance(shift, GeometryShift) and shift.adds else set()
            written = sorted((differing & set(shift.writes)) | (shown & geoms))
            yield Check.holds(f"{shift.label}: a field that it writes differs", bool(written), ", ".join(written))
    yield Check.holds("something differs", bool(shown), "something")


def _effects(pair: Pair, role: Role, domain: Domain) -> Iterator[Check]:
    """Check each shift of a domain against the same domain without it."""
    for index, shift in enumerate(domain.shifts):
        if shift.neutral:
            continue
        others = domain.shifts[:index] + domain.shifts[index + 1 :]
        checks: Iterator[Check]
        if isinstance(shift, (ModelShift, GeometryShift)):
            without = load_model(domain.fullpath, _comparable(shift, others))
            checks = model_effects(shift, Models(without=without, shifted=domain.model))
        else:
            other = make_domain(pair, role, others)
            checks = behaviour_effects(shift, domain, other)
        yield from (check.of(role) for check in checks)


def _comparable(shift: Shift, others: tuple[Shift, ...]) -> tuple[Shift, ...]:
    """Return the other shifts; those of the shape go with a shift of the shape, so that clearances compare."""
    return tuple(other for other in others if not (isinstance(shift, GeometryShift) and _reshapes(other)))


def _reshapes(shift: Shift) -> bool:
    return isinstance(shift, GeometryShift) and not shift.adds


def _trajectories(pair: Pair, source: Domain, target: Domain) -> Iterator[Check]:
    """Step both domains from matched states with the same actions."""
    if pair.source_robot is not None:
        return
    differing = [shift for shift in set(pair.source) ^ set(pair.target) if not shift.neutral]
    unseen = all(isinstance(shift, (RewardShift, ObservationNoise)) for shift in differing)
    apart = max(_distance(source, target, start=start) for start in _starting_points(pair))
    if unseen:
        yield Check.holds("the same actions lead to the same states", apart == 0.0, f"{apart:.3g} apart")
    else:
        yield Check.holds("the same actions lead elsewhere", apart > 1e-6, f"{apart:.3g} apart")


def _starting_points(pair: Pair) -> list[tuple[float, float]]:
    """Return where to start [m]: at the origin, within an obstacle's reach, or where one maze alone has a wall."""
    walls = [(shift.x + shift.thickness / 2 + 0.5, 0.0) for shift in pair.target if isinstance(shift, ObstacleShift)]
    mazes = [set(shift.walls.values()) for role in ROLES for shift in pair.shifts(role) if isinstance(shift, MazeShift)]
    walls += sorted(reduce(xor, mazes, set()))[:1]
    return walls or [(0.0, 0.0)]


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
    """Compare the rest poses."""
    if pair.source_robot is not None:
        return
    before, after = (probes.violations(domain.model) for domain in (source, target))
    newly = float((after - before).max()) if len(after) else 0.0
    plain = load_model(target.fullpath, ())
    depths = [probes.penetration(model) for model in (plain, source.model, target.model)]
    allowed = max(depths[0], depths[1]) + PENETRATION
    if pair.target:
        yield Check.holds("no joint newly starts outside its range", newly < 1e-9, f"{newly:.3g}")
        yield Check.holds("the target starts no deeper in a contact [m]", depths[2] <= allowed, f"{depths[2]:.4g}")


def verify_json(data: dict[str, Any]) -> Verification:
    """Return the checks of a pair given by its JSON: for worker processes."""
    return verify(Pair.from_json(data))
