"""Nominal models, compiled once a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import mujoco

from transreward_envs.shifts.apply import recompute_constants


def load_nominal_model(path: str) -> mujoco.MjModel:
    """Return the model at ``path``, shared and not to be written to; a file that has changed is compiled anew."""
    status = Path(path).stat()
    return _compile(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=32)
def _compile(path: str, modified: int, size: int) -> mujoco.MjModel:
    """Return the model at ``path`` as ``MjModel.from_xml_path`` would.

    HalfCheetah's file fixes its total mass by an attribute that MuJoCo deprecates with a warning at each
    compilation; setting the mass on the compiled model gives the same bits in silence.
    """
    spec = mujoco.MjSpec.from_file(path)
    total_mass = spec.compiler.settotalmass
    spec.compiler.settotalmass = -1
    model = spec.compile()
    if total_mass > 0:
        mujoco.mj_setTotalmass(model, total_mass)
        recompute_constants(model)
    return model
