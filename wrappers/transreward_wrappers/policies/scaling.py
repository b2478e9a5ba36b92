"""Between the actions of policies, which are in ``[-1, 1]``, and those of an action space."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray


def scale_actions(actions: NDArray[Any], space: Box) -> NDArray[Any]:
    """Return actions of an action space from those in ``[-1, 1]``; those beyond are clipped."""
    half = (space.high - space.low) / 2.0
    scaled: NDArray[Any] = (space.low + half * (np.clip(actions, -1.0, 1.0) + 1.0)).astype(space.dtype)
    return scaled


def unscale_actions(actions: NDArray[Any], space: Box) -> NDArray[np.float64]:
    """Return actions in ``[-1, 1]`` from those of an action space; those beyond its bounds are clipped."""
    half = (space.high - space.low).astype(np.float64) / 2.0
    unscaled: NDArray[np.float64] = np.clip((actions - space.low) / half - 1.0, -1.0, 1.0)
    return unscaled
