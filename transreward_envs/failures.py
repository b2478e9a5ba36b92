"""Physics that has blown up: how it is seen and told, of single environments as of lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import mujoco

FAILED = "physics_failed"
"""Key of ``info``."""


def physics_failed(data: mujoco.MjData) -> bool:
    """Whether a simulation has blown up since its last reset; MuJoCo resets it then, in the middle of an episode."""
    from transreward_envs.batched.engine import BAD  # needs MuJoCo

    return bool(np.count_nonzero(data.warning.number[BAD]))


def without_reward(info: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a step in which the physics has failed: nothing was earned."""
    return {**{key: 0.0 if is_term(key) else value for key, value in info.items()}, FAILED: True}


def is_term(key: str) -> bool:
    """Whether a key of ``info`` is a term of the reward."""
    return key.startswith("reward_") or key.endswith("_penalty")
