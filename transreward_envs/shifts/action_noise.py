"""Action noise: the actuators receive something near the action."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from transreward_envs.errors import require_non_negative
from transreward_envs.shifts.base import ControlShift


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionNoise(ControlShift):
    """Add U(-half_width, half_width) to the control, drawn at every step from a stream of the env's own seed.

    With ``dimension=-1`` and 0.05 this is the joint noise of DARA (Liu et al., 2022, arXiv:2203.06662). The reward
    still sees the agent's own action.
    """

    kind: ClassVar[str] = "noise"

    half_width: float
    """Half the width of the uniform distribution [units of control]; 0.0 changes nothing."""

    dimension: int | None = None
    """The one dimension of the action that is noisy, negative from the end; all when left out."""

    def __post_init__(self) -> None:
        require_non_negative("half_width", self.half_width)
        if self.dimension is not None and (
            isinstance(self.dimension, bool) or not isinstance(self.dimension, Integral)
        ):
            raise TypeError(f"`dimension` must be an integer; got {self.dimension!r}.")

    @property
    def neutral(self) -> bool:
        """Whether the width is zero."""
        return self.half_width == 0.0

    @property
    def label(self) -> str:
        """Such as ``noise-0.1`` or ``noise-dim-1-0.05``."""
        middle = "" if self.dimension is None else f"dim{self.dimension}-"
        return f"noise-{middle}{self.half_width}"

    def width_per_dimension(self, size: int) -> NDArray[np.float64]:
        """Return the half width of each of ``size`` dimensions, as ``(size,)``.

        Raises:
            ValueError: The action has no such dimension.
        """
        if self.dimension is None:
            return np.full(size, self.half_width)
        if not -size <= self.dimension < size:
            raise ValueError(
                f"`dimension` must lie in [{-size}, {size - 1}] for this robot's action; got {self.dimension}."
            )
        width = np.zeros(size)
        width[self.dimension] = self.half_width
        return width
