"""Models, compiled once a process for each file and geometry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import mujoco

from transreward_envs.robots.start import clearance, lift_start
from transreward_envs.shifts import GeometryShift, Shift
from transreward_envs.shifts.apply import apply_shifts, recompute_constants

NEGLIGIBLE = 1e-9


def load_model(path: str, shifts: Sequence[Shift]) -> mujoco.MjModel:
    """Return the model at ``path`` with its shifts, for the caller alone.

    Raises:
        ValueError: A shift breaks a rule of this robot, or two write the same field.
    """
    return apply_shifts(load_base_model(path, shifts), shifts)


def load_base_model(path: str, shifts: Sequence[Shift] = ()) -> mujoco.MjModel:
    """Return the model with the shifts of its geometry alone; it is shared and not to be written to.

    A file that has changed is compiled anew.
    """
    geometry = tuple(shift for shift in shifts if isinstance(shift, GeometryShift) and not shift.neutral)
    status = Path(path).stat()
    return _compile(path, status.st_mtime_ns, status.st_size, geometry)


@lru_cache(maxsize=256)
def _compile(path: str, modified: int, size: int, geometry: tuple[GeometryShift, ...]) -> mujoco.MjModel:
    """Return the model at ``path`` as ``MjModel.from_xml_path`` would, with its geometry shifted.

    HalfCheetah's file fixes its total mass by an attribute that MuJoCo deprecates with a warning at each
    compilation; setting the mass on the compiled model gives the same bits in silence. Other shapes keep that total.
    """
    spec = mujoco.MjSpec.from_file(path)
    total_mass = spec.compiler.settotalmass
    spec.compiler.settotalmass = -1
    model = spec.compile()
    if geometry:
        nominal = model
        _check_disjoint(geometry)
        for shift in sorted(geometry, key=lambda one: bool(one.adds)):  # parts are found by their places in the nominal
            shift.edit(spec, nominal)
        model = spec.compile()
        if abs(lift := clearance(nominal) - clearance(model)) > NEGLIGIBLE:
            lift_start(spec, nominal, lift)
            model = spec.compile()
    if total_mass > 0:
        mujoco.mj_setTotalmass(model, total_mass)
        recompute_constants(model)
    return model


def _check_disjoint(geometry: tuple[GeometryShift, ...]) -> None:
    """Raise ``ValueError`` if two shifts reshape the same part."""
    for part, count in Counter(part for shift in geometry for part in shift.parts).items():
        if count > 1:
            raise ValueError(
                f"Two shifts must not write the same field; {count} of {[shift.label for shift in geometry]} reshape "
                f"{part!r}. Join them into one."
            )
