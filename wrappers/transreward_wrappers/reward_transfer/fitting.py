"""What is held out of a fit to source data, and what is said of it; the same for all estimators that learn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from transreward_wrappers.compensation import Transitions

STRETCH = 100
"""Transitions in a row that are held out together: neighbours are too much alike to be held out from one another."""

HELD_OUT = 20
"""Every so many-th stretch is held out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitFigures:
    """What is said of a fit."""

    transitions: int = 0
    """Source transitions that it had, those held out among them."""

    spread: float = 1.0
    """Mean spread of the ensemble on transitions that were held out [reward]."""

    deviation: float = 0.0
    """Standard deviation of the source's rewards [reward]."""

    unexplained: float | None = None
    """Mean squared error of r_S* on those held out, in units of their rewards' variance; ``None`` without an r_S*."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return dataclasses.asdict(self)


def hold_out(data: Transitions) -> tuple[Transitions, Transitions]:
    """Return the transitions to fit to, and those to judge by; too few are used for both.

    Raises:
        ValueError: There are none, or some are not finite.
    """
    arrays = (data.observation, data.action, data.reward, data.next_observation)
    if len(data) == 0 or not all(bool(np.isfinite(array).all()) for array in arrays):
        raise ValueError(f"Source data must be finite transitions, one at least; got {len(data)}, not all finite.")
    held = np.arange(len(data)) // STRETCH % HELD_OUT == HELD_OUT - 1
    return (data.select(~held), data.select(held)) if held.any() else (data, data)
