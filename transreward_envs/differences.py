"""What differs between two compiled models, array by array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.pairs import ROLES, Pair
from transreward_envs.robots.control import ControlPath
from transreward_envs.shifts import GeometryShift, ModelShift, ObservationNoise, RewardShift
from transreward_envs.shifts.actuator import actuator_names
from transreward_envs.shifts.apply import read_field
from transreward_envs.shifts.base import body_names

FLOAT_TOLERANCE = 1e-10

MANY = 200
"""Of more differing elements of a field than this, such as the corners of a mesh, the range is shown."""

BOOKKEEPING = {
    *("names", "nnames", "names_map", "nnames_map", "nbuffer", "signature", "geom_dataid", "body_geomadr"),
    *("nbvh", "nbvhstatic", "bvh_aabb", "bvh_child", "bvh_depth", "bvh_nodeid", "body_bvhadr", "body_bvhnum"),
    "body_geomnum",
}
"""What the compiler renumbers when a model gets a further geom, beside the addresses of names."""

_UNITS = {
    "actuator_acc0": "1/kg or 1/(kg m^2)",
    "actuator_gear": "N m per unit",
    "body_inertia": "kg m^2",
    "body_invweight0": "1/kg",
    "body_mass": "kg",
    "body_pos": "m",
    "body_subtreemass": "kg",
    "dof_armature": "kg or kg m^2",
    "dof_M0": "kg or kg m^2",
    "dof_damping": "N s/m or N m s/rad",
    "dof_invweight0": "1/kg",
    "geom_friction": "-",
    "geom_pos": "m",
    "geom_size": "m",
    "jnt_range": "rad or m",
    "jnt_stiffness": "N/m or N m/rad",
    "opt.density": "kg/m^3",
    "opt.gravity": "m/s^2",
    "opt.timestep": "s",
    "opt.wind": "m/s",
    "qpos0": "m or rad",
    "stat.meaninertia": "kg m^2",
    "stat.meanmass": "kg",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One element of a model field, or one setting of the control path, that differs between two domains."""

    field: str
    element: str
    source: str
    target: str
    unit: str
    derived: bool
    """Whether it follows from other differences."""


def differing_fields(first: mujoco.MjModel, second: mujoco.MjModel, *, added: Sequence[str] = ()) -> set[str]:
    """Return the names of all fields that differ: integers and names exactly, floats by more than 1e-10.

    Sizes, arrays, and the numbers of ``opt`` and ``stat`` are compared; ``vis`` only draws.

    Args:
        first: A compiled model.
        second: Another.
        added: Geoms that shifts have added to either. They are left out of the comparison of the geoms, and with them
            the compiler's own bookkeeping, which any further geom renumbers.
    """
    names = _field_names(mujoco.MjModel, first)
    names += [f"opt.{name}" for name in _field_names(mujoco.MjOption, first.opt)]
    names += [f"stat.{name}" for name in _field_names(mujoco.MjStatistic, first.stat)]
    if not added:
        return {name for name in names if not _equal(read_field(first, name), read_field(second, name))}
    differing = set()
    for name in names:
        if name not in BOOKKEEPING and not name.startswith("name_"):
            values = [_without(model, name, added) for model in (first, second)]
            if not _equal(*values):
                differing.add(name)
    return differing


def _without(model: mujoco.MjModel, name: str, added: Sequence[str]) -> Any:
    """Return a field without the rows of added geoms."""
    value = read_field(model, name)
    if not (name.startswith("geom_") and value.shape[0] == model.ngeom):
        return value
    return value[[index for index in range(model.ngeom) if model.geom(index).name not in added]]


def pair_differences(pair: Pair) -> list[Difference]:
    """Return everything in which the target differs from the source, one row an element."""
    if pair.source_robot is not None:
        return [_setting("robot", "", pair.source_robot, pair.robot), *_shift_rows(pair)]
    source, target = pair.make("source"), pair.make("target")
    try:
        return differences_between(pair, source.unwrapped.model, target.unwrapped.model)  # type: ignore[attr-defined]
    finally:
        source.close()
        target.close()


def differences_between(pair: Pair, source: mujoco.MjModel, target: mujoco.MjModel) -> list[Difference]:
    """Return everything in which the target differs from the source, whose compiled models are given."""
    return [*_model_rows(pair, source, target), *_control_rows(pair, source.nu), *_shift_rows(pair)]


def declared_fields(pair: Pair) -> tuple[set[str], set[str]]:
    """Return the fields that the pair's shifts write, and those that follow from them."""
    shifts = [shift for shift in (*pair.source, *pair.target) if isinstance(shift, (ModelShift, GeometryShift))]
    writes = {name for shift in shifts for name in shift.writes}
    return writes, {name for shift in shifts for name in shift.derives} - writes


def added_geoms(pair: Pair) -> tuple[str, ...]:
    """Return the geoms that the shifts add to either domain."""
    shifts = [shift for shift in (*pair.source, *pair.target) if isinstance(shift, GeometryShift)]
    return tuple(dict.fromkeys(name for shift in shifts for name in shift.adds))


def _model_rows(pair: Pair, source: mujoco.MjModel, target: mujoco.MjModel) -> Iterator[Difference]:
    """Yield the differing elements of the compiled models, the written fields first."""
    writes, _ = declared_fields(pair)
    added = added_geoms(pair)
    for geom in added:
        places = [_place(model, geom) for model in (source, target)]
        if places[0] != places[1]:
            yield _setting("geom", geom, places[0], places[1], "m")
    for field in sorted(differing_fields(source, target, added=added), key=lambda name: (name not in writes, name)):
        before = np.atleast_1d(np.asarray(read_field(source, field), dtype=np.float64))
        after = np.atleast_1d(np.asarray(read_field(target, field), dtype=np.float64))
        if before.shape != after.shape:
            continue  # a count, which the added geoms themselves say
        elements = np.argwhere(np.abs(before - after) > FLOAT_TOLERANCE)
        if len(elements) > MANY:
            old, new = (f"{values.min():.6g} to {values.max():.6g}" for values in (before, after))
            row = _setting(field, f"{len(elements)} elements", old, new, _UNITS.get(field, ""))
            yield replace(row, derived=field not in writes)
            continue
        for index in elements:
            yield Difference(
                field=field,
                element=_element_name(source, field, index),
                source=f"{before[tuple(index)]:.6g}",
                target=f"{after[tuple(index)]:.6g}",
                unit=_UNITS.get(field, ""),
                derived=field not in writes,
            )


def _place(model: mujoco.MjModel, geom: str) -> str:
    """Return where a geom is [m], if it is there."""
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, geom)
    return "none" if index < 0 else f"at {np.array2string(model.geom_pos[index], precision=6)}"


def _control_rows(pair: Pair, action_size: int) -> Iterator[Difference]:
    """Yield what no model field shows: the differing settings of the control path, and the time limit."""
    paths = [ControlPath(pair.shifts(role), action_size=action_size, memory=0) for role in ROLES]
    settings = [
        ("action noise", "units of control", [_noise(path) for path in paths]),
        ("action delay", "steps", [str(path.delay) for path in paths]),
        ("action repeat", "control steps per action", [str(path.repeat) for path in paths]),
        ("time limit", "steps", [str(pair.max_episode_steps(role)) for role in ROLES]),
    ]
    for field, unit, (source, target) in settings:
        if source != target:
            yield Difference(
                field=field, element="", source=source, target=target, unit=unit, derived=field == "time limit"
            )


def _shift_rows(pair: Pair) -> Iterator[Difference]:
    """Yield what neither the model nor the control path shows: observation noise and the reward."""
    for field, family in (("observation noise", ObservationNoise), ("reward", RewardShift)):
        labels = [
            ", ".join(shift.label for shift in pair.shifts(role) if isinstance(shift, family)) or "the robot's own"
            for role in ROLES
        ]
        if labels[0] != labels[1]:
            yield _setting(field, "", *labels)


def _setting(field: str, element: str, source: str, target: str, unit: str = "") -> Difference:
    """Return a row of a setting that is no number of the model."""
    return Difference(field=field, element=element, source=source, target=target, unit=unit, derived=False)


def _noise(path: ControlPath) -> str:
    """Return the half width of a path's noise, once if it is the same for all dimensions."""
    if not path.widths.any():
        return "none"
    widths = [f"{width:.6g}" for width in path.widths]
    return f"U(+-{widths[0]})" if len(set(widths)) == 1 else f"U(+-[{', '.join(widths)}])"


def _element_name(model: mujoco.MjModel, field: str, index: NDArray[np.int64]) -> str:
    """Return a readable name such as ``foot_geom[0]``."""
    first, rest = int(index[0]), "".join(f"[{position}]" for position in index[1:])
    if field.startswith("actuator_"):
        return actuator_names(model)[first] + rest
    if field.startswith("body_"):
        return f"{body_names(model)[first] or 'body_' + str(first)}{rest}"
    kinds = {"geom_": model.geom, "jnt_": model.joint, "site_": model.site}
    for prefix, access in kinds.items():
        if field.startswith(prefix):
            return f"{access(first).name or prefix + str(first)}{rest}"
    if field.startswith("dof_"):
        return f"{model.joint(int(model.dof_jntid[first])).name}{rest}"
    axes = ("x", "y", "z")
    return axes[first] if field in ("opt.gravity", "opt.wind") else rest


@cache
def _attribute_names(cls: type) -> tuple[str, ...]:
    return tuple(name for name in dir(cls) if not name.startswith("_"))


def _field_names(cls: type, owner: object) -> list[str]:
    """Return the names of the numeric fields and sizes of a MuJoCo struct."""
    kinds = (np.ndarray, int, float, bytes)
    return [name for name in _attribute_names(cls) if isinstance(getattr(owner, name), kinds)]


def _equal(first: Any, second: Any) -> bool:
    """Whether two values are the same: floats to 1e-10, all else exactly."""
    before, after = np.asarray(first), np.asarray(second)
    if before.shape != after.shape:
        return False
    if before.dtype.kind == "f":
        return bool(np.allclose(before, after, rtol=0.0, atol=FLOAT_TOLERANCE, equal_nan=True))
    return bool(np.array_equal(before, after))
