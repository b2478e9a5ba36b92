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

    Shifts compose: two that scale the same field multiply. Because each call starts from the nominal model, applying
    the same shifts twice is the same as applying them once. Constants that follow from mass, inertia and gears
    are computed again, so that the result equals a model compiled with the new values.

    Raises:
        ValueError: A shift names a part that the robot does not have, or changes nothing.
    """
    model = copy.copy(nominal)
    active = [shift for shift in shifts if isinstance(shift, ModelShift) and not shift.neutral]
    for shift in active:
        before = {name: read_field(model, name) for name in shift.writes}
        shift.apply(model)
        if all(np.array_equal(before[name], read_field(model, name)) for name in shift.writes):
            raise ValueError(
                f"A shift must change the model; {shift!r} leaves {', '.join(shift.writes)} as they were, because "
                "those values are zero here. Choose another shift or another part of the robot."
            )
    if any(shift.derives for shift in active):
        recompute_constants(model)
    return model


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
