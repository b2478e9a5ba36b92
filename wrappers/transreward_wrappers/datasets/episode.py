"""An episode, or the beginning of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """``T`` steps in a row of one domain.

    Raises:
        ValueError: Lengths do not fit together.
    """

    observations: Array
    """The one after the last step too, as ``(T + 1, observation_size)``."""

    actions: NDArray[np.floating]
    """As ``(T, action_size)``."""

    rewards: Array
    """As ``(T,)``."""

    terminated: bool
    """Whether the last step ended the task; otherwise a time limit did, or the recording stopped."""

    log_densities: Array | None = None
    """Of the actions under the policy that took them [nats], as ``(T,)``; ``None`` where nobody kept them."""

    policy: int = 0
    """Which of the dataset's policies acted."""

    def __post_init__(self) -> None:
        steps = len(self.rewards)
        kept = steps if self.log_densities is None else len(self.log_densities)
        if not (steps > 0 and len(self.observations) == steps + 1 and len(self.actions) == kept == steps):
            raise ValueError(
                "An episode of T > 0 steps has T + 1 observations, T actions and T rewards; got "
                f"{len(self.observations)}, {len(self.actions)} and {steps}."
            )

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def total_return(self) -> float:
        """Return the sum of rewards."""
        return float(self.rewards.sum())
