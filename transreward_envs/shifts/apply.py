"""The one path by which shifts reach a model."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import mujoco
import numpy as np

from transreward_envs.shifts.base import ModelShift, Shift


def apply_shifts(nominal: mujoco.MjModel, shifts: Sequence[Shift]) -> mujoco.MjModel:
    """Return a copy of ``nominal`` with the model shifts among ``shifts`` applied; ``nominal`` is not touched.

    Because each call starts from the nominal model, applying the same shifts twice is the same as applying them once;
    because no two write the same element of a field, their order does not matter. Constants that follow from mass,
    inertia and gears are computed again, so that the result equals a model compiled with the new values.

    Raises:
        ValueError: A shift names a part that the robot does not have, or changes nothing, or two write the same.
    """
    model = copy.copy(nominal)
    active = [shift for shift in shifts if isinstance(shift, ModelShift) and not shift.neutral]
    owners: dict[str, list[tuple[Shift, Any]]] = {}
    for shift in active:
        for name, elements in _apply_one(model, nominal, shift).items():
            for owner, taken in owners.setdefault(name, []):
                if np.any(elements & taken):
                    raise ValueError(
                        f"Two shifts must not write the same field; {owner.label!r} and {shift.label!r} both write "
                        f"{name} of the same part. Join them into one, or name other parts."
                    )
            owners[name].append((shift, elements))
    if any(shift.derives for shift in active):
        recompute_constants(model)
    return model


def _apply_one(model: mujoco.MjModel, nominal: mujoco.MjModel, shift: ModelShift) -> dict[str, Any]:
    """Apply a shift to nominal values, keep what others have written, and return the elements that it changes."""
    fields = [name for name in shift.writes if read_field(nominal, name) is not None]
    before = {name: read_field(model, name) for name in fields}
    plain = {name: read_field(nominal, name) for name in fields}
    for name in fields:
        write_field(model, name, plain[name])
    shift.apply(model)
    changed = {name: plain[name] != read_field(model, name) for name in fields}
    if not any(np.any(elements) for elements in changed.values()):
        raise ValueError(
            f"A shift must change the model; {shift!r} leaves {', '.join(shift.writes)} as they are here: there is "
            "nothing to change, or it has these values. Choose another shift or another part of the robot."
        )
    for name, elements in changed.items():
        write_field(model, name, np.where(elements, read_field(model, name), before[name]))
    return changed


def recompute_constants(model: mujoco.MjModel) -> None:
    """Compute again what the compiler derives from mass, inertia and gears.

    ``mj_setConst`` leaves two statistics that the compiler also derives; the solver's tolerance is scaled by one.
    """
    mujoco.mj_setConst(model, mujoco.MjData(model))
    model.stat.meaninertia = _mean(model.dof_M0)
    model.stat.meanmass = _mean(model.body_mass[1:])


def _mean(values: Iterable[float]) -> float:
    """Return the mean, summed in order as the compiler does, so that the result has the same bits."""
    listed = [float(value) for value in values]
    return sum(listed) / len(listed)


def read_field(model: mujoco.MjModel, name: str) -> Any:
    """Return a copy of the value at a dotted name; ``None`` where this version of MuJoCo lacks the field."""
    value = reduce(lambda owner, part: getattr(owner, part, None), name.split("."), model)
    return None if value is None else np.copy(value)


def write_field(model: mujoco.MjModel, name: str, value: Any) -> None:
    """Set the value at a dotted name, in place where it is an array."""
    *path, last = name.split(".")
    owner = reduce(getattr, path, model)
    if isinstance(getattr(owner, last), np.ndarray):
        getattr(owner, last)[...] = value
    else:
        setattr(owner, last, value.item() if isinstance(value, (np.ndarray, np.generic)) else value)
