"""How far ahead a world model sees: its open-loop error against that of predicting no change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

STEPS = (1, 5, 10, 25)
"""Steps ahead at which a model is judged."""

USABLE = 0.25
"""A model is fit to plan with where its squared error is below this share of that of predicting no change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Errors:
    """Mean squared errors of normalised observations on held-out windows of one kind; one entry a step ahead."""

    model: tuple[float, ...]
    """Of the model, open loop [observation variances]."""

    persistence: tuple[float, ...]
    """Of predicting no change [observation variances]."""

    windows: tuple[int, ...]
    """How many windows reach so far."""

    def ratio(self, index: int) -> float:
        """Return the model's error as a share of persistence's; where nothing ever changes, its own error."""
        return self.model[index] / (self.persistence[index] or 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReport:
    """What is known of a fitted model from data that were held out, each kind apart."""

    errors: Mapping[str, Errors]
    """By kind of data; a kind has as many entries as :data:`STEPS` that its episodes reach."""

    spread: tuple[float, ...]
    """Mean spread over all kinds, at as many of :data:`STEPS` as any reaches [observation standard deviations]."""

    fitted_steps: int
    """Transitions that the model was fitted to."""

    cpu_seconds: float
    """What the fit took [s of CPU time]."""

    @property
    def horizon(self) -> int:
        """Return the most steps ahead at which the model was judged, 0 where it was not."""
        return max((max(self.ratios(kind)) for kind in self.errors), default=0)

    def ratios(self, kind: str) -> dict[int, float]:
        """Return the model's error as a share of persistence's on a kind of data, by steps ahead."""
        errors = self.errors[kind]
        return {step: errors.ratio(index) for index, step in enumerate(STEPS[: len(errors.model)])}

    def spread_ahead(self, steps: int) -> list[float]:
        """Return the mean spread after each of so many steps, in between as between its neighbours; 1 where unknown."""
        if not self.spread:
            return [1.0] * steps
        judged = STEPS[: len(self.spread)]
        return [float(one) for one in np.interp(np.arange(1, steps + 1), judged, self.spread)]

    def poor_kinds(self, horizon: int) -> dict[str, float]:
        """Return the kinds of data, and ratios, on which the model is too poor to plan so many steps ahead."""
        found = {}
        for kind in self.errors:
            ratios = self.ratios(kind)
            step = next((step for step in ratios if step >= horizon), max(ratios))
            if ratios[step] >= USABLE:
                found[kind] = ratios[step]
        return found

    def __str__(self) -> str:
        lines = ["error as a share of predicting no change, by steps ahead"]
        lines.append("  ".join([f"{'':12}", *(f"{step:>7}" for step in STEPS)]))
        for kind in self.errors:
            lines.append("  ".join([f"{kind:12}", *(f"{ratio:7.3f}" for ratio in self.ratios(kind).values())]))
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelReport:
        """Return the report that :meth:`to_json` told of."""
        errors = {
            kind: Errors(**{name: tuple(values) for name, values in of_kind.items()})
            for kind, of_kind in data["errors"].items()
        }
        rest = {**data, "errors": errors, "spread": tuple(data["spread"])}
        return cls(**rest)
