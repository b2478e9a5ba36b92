"""Effective values of a pair's domains: what the simulator makes of the shifts, measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from transreward_envs.pairs.pair import ROLES, Pair
from transreward_envs.robots.domain import Domain
from transreward_envs.robots.start import clearance, start_height
from transreward_envs.shifts import MazeShift, RewardShift
from transreward_envs.shifts.actuator import actuator_names
from transreward_envs.shifts.base import body_names, names_of
from transreward_envs.shifts.capsules import find_link
from transreward_envs.shifts.obstacle import WALL
from transreward_envs.verification import probes
from transreward_envs.verification.verify import make_domain


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectiveValue:
    """One measured quantity that differs between the domains of a pair."""

    quantity: str
    unit: str
    source: str
    target: str


def effective_values(pair: Pair) -> list[EffectiveValue]:
    """Return what differs between the domains, as measured; the robots, if those differ."""
    if pair.source_robot is not None:
        return [EffectiveValue(quantity="robot", unit="", source=pair.source_robot, target=pair.robot)]
    measured = []
    for role in ROLES:
        domain = make_domain(pair, role, pair.shifts(role))
        measured.append({**_physics(domain.model), **_behaviour(domain, pair.max_episode_steps(role))})
        domain.close()
    source, target = measured
    values = [
        EffectiveValue(quantity=key[0], unit=key[1], source=source.get(key, "none"), target=target.get(key, "none"))
        for key in {**target, **source}
        if source.get(key, "none") != target.get(key, "none")
    ]
    return _joined(_joined(values, target, "mass of ", "mass of every body"), target, "strength of ", "every actuator")


def _joined(
    values: list[EffectiveValue], target: dict[tuple[str, str], str], prefix: str, together: str
) -> list[EffectiveValue]:
    """Join the values of all parts of one sort into one, if each of them moves by the same factor."""
    parts = [value for value in values if value.quantity.startswith(prefix)]
    ratios = [float(value.target) / float(value.source) for value in parts if float(value.source)]
    every = sum(quantity.startswith(prefix) and value != "0" for (quantity, _), value in target.items())
    if len(parts) < 2 or len(parts) != every or max(ratios) - min(ratios) > 0.01:
        return values
    joined = EffectiveValue(quantity=together, unit="-", source="1", target=_number(float(np.median(ratios))))
    return [joined if value is parts[0] else value for value in values if value not in parts[1:]]


def _physics(model: mujoco.MjModel) -> dict[tuple[str, str], str]:
    """Return the quantities of a compiled model."""
    friction = [float(coefficients[0]) for coefficients in probes.contact_friction(model).values()]
    values: dict[tuple[str, str], str] = {
        ("total mass", "kg"): _number(mujoco.mj_getTotalmass(model)),
        ("sliding friction on the floor", "-"): _range(friction),
        ("gravity", "m/s^2"): _number(model.opt.gravity[2]),
        ("wind along x", "m/s"): _number(model.opt.wind[0]),
        ("density of the medium", "kg/m^3"): _number(model.opt.density),
        ("damping, sum over joints", "N m s/rad"): _number(-probes.damping_forces(model).sum()),
        ("armature, sum over joints", "kg m^2"): _number(model.dof_armature.sum()),
        ("springs a tenth from rest, sum over joints", "N m"): _number(-probes.spring_forces(model).sum()),
        ("start height", "m"): _number(start_height(model)),
        ("clearance at rest", "m"): _number(clearance(model)),
    }
    for name, forces in zip(actuator_names(model), probes.actuator_forces(model), strict=True):
        straight = any(_slides(model, int(model.dof_jntid[dof])) for dof in np.flatnonzero(forces))
        values[f"strength of {name}", "N" if straight else "N m"] = _number(float(np.abs(forces).sum()))
    limited = [int(joint) for joint in np.flatnonzero(model.jnt_limited)]
    names = names_of(model.njnt, model.joint)
    for joint, (low, high) in zip(limited, probes.joint_limits(model, limited), strict=True):
        unit = "m" if _slides(model, joint) else "rad"
        values[f"range of {names[joint]}", unit] = f"{_number(low)} to {_number(high)}"
    for body, mass in zip(body_names(model), model.body_mass, strict=True):
        values |= _link(model, body, float(mass))
    if WALL in names_of(model.ngeom, model.geom):
        back, front = probes.wall_faces(model, WALL, height=probes.wall_top(model, WALL))[0]
        values["wall along x", "m"] = f"{_number(back)} to {_number(front)}"
    return values


def _slides(model: mujoco.MjModel, joint: int) -> bool:
    """Whether a joint is one that slides."""
    return bool(model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE.value)


def _link(model: mujoco.MjModel, body: str, mass: float) -> dict[tuple[str, str], str]:
    """Return the size of a link, and its mass."""
    values = {(f"mass of {body}", "kg"): _number(mass)} if body else {}
    try:
        link = find_link(model, body)
    except ValueError:
        return values
    values[f"length of {body}", "m"] = _number(float(np.linalg.norm(link.end - link.start)))
    values[f"radius of {body}", "m"] = _number(link.radius)
    return values


def _behaviour(domain: Domain, time_limit: int) -> dict[tuple[str, str], str]:
    """Return what no model shows."""
    assert domain.dynamics is not None
    control: Any = domain.dynamics.control
    rewards = [shift.label for shift in domain.shifts if isinstance(shift, RewardShift)]
    mazes = [shift.layout for shift in domain.shifts if isinstance(shift, MazeShift)]
    heights = getattr(domain, domain.healthy_range) if domain.healthy_range else ()
    return {
        ("an action lasts", "s"): _number(domain.dt * control.repeat),
        ("an action arrives late by", "steps"): str(control.delay),
        ("noise on the control, half width", "units"): _range(list(control.widths[control.widths > 0])),
        ("noise on the observation, deviation", "units"): _number(domain.dynamics.observation_std),
        ("reward", ""): ", ".join(rewards) or "the robot's own",
        ("maze", ""): ", ".join(mazes) or "none",
        ("an episode ends outside heights", "m"): " to ".join(map(_number, heights)),
        ("time limit", "steps"): str(time_limit),
    }


def _number(value: float) -> str:
    """Return a number in four digits."""
    return f"{round(float(value), 9) + 0.0:.4g}"


def _range(values: list[float]) -> str:
    """Return the lowest and the highest value."""
    if not values:
        return "none"
    low, high = _number(min(values)), _number(max(values))
    return low if low == high else f"{low} to {high}"
