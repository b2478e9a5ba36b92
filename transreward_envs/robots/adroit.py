"""Adroit: a hand that turns a pen, opens a door, drives in a nail and moves a ball."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from transreward_envs.robots.domain import Domain
from transreward_envs.robots.extras import requires

with requires("robotics"):
    from gymnasium_robotics.envs.adroit_hand import (
        AdroitHandDoorEnv,
        AdroitHandHammerEnv,
        AdroitHandPenEnv,
        AdroitHandRelocateEnv,
    )


class AdroitDomain(Domain):
    """Mixed in before one of Gymnasium-Robotics' Adroit classes; its ``options`` at reset are theirs."""

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "depth_array"]}  # noqa: RUF012
    step_info: ClassVar[tuple[str, ...]] = ()
    act_mean: NDArray[np.float64]
    act_rng: NDArray[np.float64]

    def actuated(self, executed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return set points between the actuators' bounds, as a step does."""
        set_points: NDArray[np.float64] = self.act_mean + np.clip(executed, -1.0, 1.0) * self.act_rng
        return set_points

    def _get_reset_info(self) -> dict[str, Any]:
        """Return what a step reports too."""
        return {"success": False}


class AdroitPen(AdroitDomain, AdroitHandPenEnv):  # type: ignore[misc]  # untyped
    """Gymnasium-Robotics' ``AdroitHandPen-v1``, with shifts."""


class AdroitDoor(AdroitDomain, AdroitHandDoorEnv):  # type: ignore[misc]  # untyped
    """Gymnasium-Robotics' ``AdroitHandDoor-v1``, with shifts."""


class AdroitHammer(AdroitDomain, AdroitHandHammerEnv):  # type: ignore[misc]  # untyped
    """Gymnasium-Robotics' ``AdroitHandHammer-v1``, with shifts."""


class AdroitRelocate(AdroitDomain, AdroitHandRelocateEnv):  # type: ignore[misc]  # untyped
    """Gymnasium-Robotics' ``AdroitHandRelocate-v1``, with shifts."""
