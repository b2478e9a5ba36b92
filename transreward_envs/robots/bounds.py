"""Between which values observations lie while an episode goes on: where tasks end, told from what is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bounds = dict[int, tuple[float, float]]
"""Lower and upper bounds, by position in an observation with all of the robot's coordinates."""

LEANING = 0.2
"""Angle of InvertedPendulum's pole at which Gymnasium's class ends an episode [rad]; it is no setting."""


def _hopper(robot: Any) -> Bounds:
    rest = {2 + index: robot._healthy_state_range for index in range(robot.model.nq + robot.model.nv - 2)}
    low, high = zip(robot._healthy_state_range, robot._healthy_angle_range, strict=True)
    return {**rest, 1: robot._healthy_z_range, 2: (max(low), min(high))}


BOUNDS: Mapping[str, Callable[[Any], Bounds]] = {
    "Hopper": _hopper,
    "Walker2d": lambda robot: {1: robot._healthy_z_range, 2: robot._healthy_angle_range},
    "Ant": lambda robot: {2: robot._healthy_z_range},
    "Humanoid": lambda robot: {2: robot._healthy_z_range},
    "InvertedPendulum": lambda robot: {1: (-LEANING, LEANING)},
    "HalfCheetah": lambda robot: {},
    "Swimmer": lambda robot: {},
    "Reacher": lambda robot: {},
    "Reacher7": lambda robot: {},
    "Pusher": lambda robot: {},
}
"""Of robots whose tasks end where one number that they see leaves its bounds, or never, by name."""


def observation_bounds(name: str, domain: Any) -> tuple[Array, Array]:
    """Return lower and upper bounds, ``(observation_size,)`` each, that observations leave where the task ends.

    Args:
        name: Of the robot.
        domain: A domain of it; its settings and shifts count.

    Raises:
        ValueError: An observation does not tell where the task ends.
    """
    if name not in BOUNDS:
        raise ValueError(
            f"An observation tells where the task ends for {', '.join(BOUNDS)}; for {name} it does not. Choose a "
            "method that imagines nothing."
        )
    low, high = np.full((2, *domain.observation_space.shape), [[-np.inf], [np.inf]])
    bounds = BOUNDS[name](domain) if getattr(domain, "_terminate_when_unhealthy", True) else {}
    hidden = getattr(domain, "observation_structure", {}).get("skipped_qpos", 0)
    for index, (least, most) in bounds.items():
        low[index - hidden], high[index - hidden] = least, most
    return low, high
