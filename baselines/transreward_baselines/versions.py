"""The versions of what a return depends on, kept with whatever was measured or made."""

import gymnasium as gym
import mujoco
import numpy as np
import torch

import transreward_envs


def versions() -> dict[str, str]:
    """Return the versions of what a return depends on."""
    return {
        "transreward_envs": transreward_envs.__version__,
        "gymnasium": gym.__version__,
        "mujoco": mujoco.__version__,
        "torch": torch.__version__.partition("+")[0],
        "numpy": np.__version__,
    }
