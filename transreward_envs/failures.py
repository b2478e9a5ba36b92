"""Physics that has blown up: how it is seen and told, of single environments as of lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mujoco

FAILED = "physics_failed"
"""Key of ``info``."""


def physics_failed(data: mujoco.MjData) -> bool:
    """Whether a simulation has blown up since its last reset; MuJoCo resets it then, in the middle of an episode."""
    from transreward_envs.batched.engine import BAD  # needs MuJoCo

    return bool(np.count_nonzero(data.warning.number[BAD]))
