"""lam: how much the source's reward counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from transreward_wrappers.compensation import Float

LamMode = Literal["constant", "annealed", "similarity", "variance"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """The weight of the source's reward.

        constant    lam
        annealed    lam max(0, 1 - steps / anneal_steps)
        similarity  lam min(1, unit / spread)^2
        variance    lam source_deviation / (source_deviation + target_deviation)

    ``similarity`` weighs by the ensemble's variance: all of lam where the members agree as they do on their own data, a
    quarter of it where they are twice as far apart. ``variance`` lets the source speak where the target's rewards say
    little: all of lam while they are all the same, half of it where they vary as the source's do.
    """

    lam: float
    """At most."""

    mode: LamMode

    anneal_steps: int
    """Transitions over which ``annealed`` falls to 0."""

    def __call__(
        self,
        spread: Float | None,
        *,
        unit: float,
        steps: int,
        source_deviation: float,
        target_deviation: float | None,
    ) -> Float | float:
        """Return the weight of each transition, as ``(B,)``, or of all.

        Args:
            spread: Of the ensemble [reward], as ``(B,)``.
            unit: Mean spread on data like those that the ensemble was fitted to [reward].
            steps: Transitions that have passed through before.
            source_deviation: Standard deviation of the rewards in the source data [reward].
            target_deviation: Of the target's rewards; ``None`` while it is not known, and lam counts in full.
        """
        if self.mode == "annealed":
            return self.lam * max(0.0, 1.0 - steps / self.anneal_steps)
        if self.mode == "similarity":
            assert spread is not None
            return self.lam * np.minimum(1.0, unit / np.maximum(spread, np.finfo(np.float64).tiny)) ** 2
        if self.mode == "variance" and target_deviation:
            return self.lam * source_deviation / (source_deviation + target_deviation)
        return self.lam
