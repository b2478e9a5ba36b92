"""Maps from the numbers of one domain to those of another: chosen, scaled, and filled in where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EntryMap:
    """Numbers that each are one number of another space, scaled and shifted, or a fixed value.

        y[outputs] = scale * x[inputs] + offset,    y = fill elsewhere

    Raises:
        ValueError: Sizes do not fit together, or a number is not finite.
    """

    input_size: int
    """Numbers that are mapped from."""

    inputs: NDArray[np.int64]
    """Where each mapped number comes from, as ``(mapped,)``."""

    outputs: NDArray[np.int64]
    """Where it goes, as ``(mapped,)``."""

    scale: Array
    """As ``(mapped,)``."""

    offset: Array
    """As ``(mapped,)``."""

    fill: Array
    """What stands where nothing is mapped to, as ``(outputs,)``."""

    def __post_init__(self) -> None:
        shapes = [array.shape for array in (self.inputs, self.outputs, self.scale, self.offset)]
        if len(set(shapes)) > 1 or self.fill.ndim != 1:
            raise ValueError(f"Each mapped number has an input, an output, a scale and an offset; got {shapes}.")
        if len(np.unique(self.outputs)) < len(self.outputs) or len(np.unique(self.inputs)) < len(self.inputs):
            raise ValueError("A number is mapped once, to one number; this map names one twice.")
        for name in ("scale", "offset", "fill"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"`{name}` must be finite; got {getattr(self, name)}.")

    def __call__(self, values: ArrayLike) -> Array:
        """Map ``(..., input_size)`` to ``(..., output_size)``, in float64.

        Raises:
            ValueError: The last axis is not of the input's size.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.ndim == 0 or given.shape[-1] != self.input_size:
            raise ValueError(f"This map takes {self.input_size} numbers in the last axis; got shape {given.shape}.")
        mapped = np.empty((*given.shape[:-1], self.output_size))
        mapped[...] = self.fill
        mapped[..., self.outputs] = given[..., self.inputs] * self.scale + self.offset
        return mapped

    @property
    def output_size(self) -> int:
        """Numbers that are mapped to."""
        return len(self.fill)

    @property
    def mapped(self) -> Bools:
        """Which outputs come from an input, as ``(output_size,)``; the others are filled in."""
        mask = np.zeros(self.output_size, dtype=np.bool_)
        mask[self.outputs] = True
        return mask

    @property
    def used(self) -> Bools:
        """Which inputs go to an output, as ``(input_size,)``; the others are lost."""
        mask = np.zeros(self.input_size, dtype=np.bool_)
        mask[self.inputs] = True
        return mask


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DomainMap:
    """What a target's observations and actions are to the source."""

    observation: EntryMap
    """From the target's observations to the source's."""

    action: EntryMap
    """From the target's actions to the source's; its ``mapped`` masks the actions that mean anything."""

    @property
    def source_sizes(self) -> tuple[int, int]:
        """Sizes of the source's observations and actions."""
        return self.observation.output_size, self.action.output_size

    @property
    def target_sizes(self) -> tuple[int, int]:
        """Sizes of the target's observations and actions."""
        return self.observation.input_size, self.action.input_size

    @property
    def lossless(self) -> bool:
        """Whether all of the target's numbers go over, so that they can be had back."""
        return bool(self.observation.used.all() and self.action.used.all())

    def round_trip_error(self, back: DomainMap, *, seed: int = 0, rows: int = 64) -> float:
        """Return by how much numbers that go over differ once they are mapped there and back.

        Args:
            back: The map of the other direction.
            seed: Of the numbers, which are standard normal.
            rows: How many are tried.
        """
        generator = np.random.default_rng(seed)
        errors: list[Any] = [0.0]
        for there, again in ((self.observation, back.observation), (self.action, back.action)):
            values = generator.standard_normal((rows, there.input_size))
            errors.append(np.abs(again(there(values)) - values)[:, there.used].max(initial=0.0))
        return float(max(errors))
