"""What differs between two compiled models, array by array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.pairs import ROLES, Pair
from transreward_envs.robots.control import ControlPath
from transreward_envs.shifts import ModelShift
from transreward_envs.shifts.actuator import actuator_names
from transreward_envs.shifts.apply import read_field

FLOAT_TOLERANCE = 1e-10

_UNITS = {
    "actuator_acc0": "1/kg or 1/(kg m^2)",
    "actuator_gear": "N m per unit",
    "body_inertia": "kg m^2",
    "body_invweight0": "1/kg",
    "body_mass": "kg",
    "body_subtreemass": "kg",
    "dof_M0": "kg or kg m^2",
    "dof_damping": "N s/m or N m s/rad",
    "dof_invweight0": "1/kg",
    "geom_friction": "-",
    "jnt_range": "rad or m",
    "opt.gravity": "m/s^2",
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


def differing_fields(first: mujoco.MjModel, second: mujoco.MjModel) -> set[str]:
    """Return the names of all fields that differ: integers and names exactly, floats by more than 1e-10.

    Sizes, arrays, and the numbers of ``opt`` and ``stat`` are compared; ``vis`` only draws.
    """
    names = _field_names(mujoco.MjModel, first)
    names += [f"opt.{name}" for name in _field_names(mujoco.MjOption, first.opt)]
    names += [f"stat.{name}" for name in _field_names(mujoco.MjStatistic, first.stat)]
    return {name for name in names if not _equal(read_field(first, name), read_field(second, name))}


def pair_differences(pair: Pair) -> list[Difference]:
    """Return everything in which the target differs from the source, one row an element."""
    source, target = pair.make("source"), pair.make("target")
    try:
        models = source.unwrapped.model, target.unwrapped.model  # type: ignore[attr-defined]
        rows = [*_model_rows(pair, *models), *_control_rows(pair, models[0].nu)]
    finally:
        source.close()
        target.close()
    return rows


def declared_fields(pair: Pair) -> tuple[set[str], set[str]]:
    """Return the fields that the pair's shifts write, and those that follow from them."""
    shifts = [shift for shift in (*pair.source, *pair.target) if isinstance(shift, ModelShift)]
    writes = {name for shift in shifts for name in shift.writes}
    return writes, {name for shift in shifts for name in shift.derives} - writes


def _model_rows(pair: Pair, source: mujoco.MjModel, target: mujoco.MjModel) -> Iterator[Difference]:
    """Yield the differing elements of the compiled models, the written fields first."""
    writes, _ = declared_fields(pair)
    for field in sorted(differing_fields(source, target), key=lambda name: (name not in writes, name)):
        before = np.atleast_1d(np.asarray(read_field(source, field), dtype=np.float64))
        after = np.atleast_1d(np.asarray(read_field(target, field), dtype=np.float64))
        for index in np.argwhere(np.abs(before - after) > FLOAT_TOLERANCE):
            yield Difference(
                field=field,
                element=_element_name(source, field, index),
                source=f"{before[tuple(index)]:.6g}",
                target=f"{after[tuple(index)]:.6g}",
                unit=_UNITS.get(field, ""),
                derived=field not in writes,
            )


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
    kinds = {"body_": model.body, "geom_": model.geom, "jnt_": model.joint}
    for prefix, access in kinds.items():
        if field.startswith(prefix):
            return f"{access(first).name or prefix + str(first)}{rest}"
    if field.startswith("dof_"):
        return f"{model.joint(int(model.dof_jntid[first])).name}{rest}"
    axes = ("x", "y", "z")
    return axes[first] if field == "opt.gravity" else ""


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
