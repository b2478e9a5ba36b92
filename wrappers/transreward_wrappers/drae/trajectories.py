"""Trajectories of any lengths, one after the other in flat arrays, and the way back through all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from transreward_wrappers.drae.arrays import Array, as_booleans, in_float64, like, namespace, on_host

Step = Callable[[Array, Array], Array]
"""From the positions of some steps and the estimates at their next states, 0 at an end of the task, to their own."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trajectories:
    """``N`` steps of trajectories, one trajectory after the other, with the rewards of the task they are judged by.

    Padded arrays ``(B, H)`` with a mask of the steps that there are become such by ``array[mask]``. All are arrays of
    NumPy's, or all are tensors; numbers are taken in float64.

    Raises:
        TypeError: Arrays and tensors are mixed.
        ValueError: Shapes differ, a number is not finite, or a trajectory ends as none can.
    """

    reward: Array
    """``r(s_t, a_t, s_{t+1})`` of the task, as ``(N,)``."""

    value: Array
    """``V(s_t)``, as ``(N,)``."""

    next_value: Array
    """``V(s_{t+1})``, as ``(N,)``; it counts where the task goes on, after a truncation too."""

    terminated: Array
    """Whether the task ended, as ``(N,)``; a truncation is no such end."""

    ends: Array
    """Whether the step is its trajectory's last, by an end of the task or by truncation, as ``(N,)``."""

    def __post_init__(self) -> None:
        names = ("reward", "value", "next_value")
        arrays = [getattr(self, name) for name in (*names, "terminated", "ends")]
        namespace(*arrays)
        for name in names:
            object.__setattr__(self, name, in_float64(getattr(self, name)))
        for name in ("terminated", "ends"):
            object.__setattr__(self, name, as_booleans(getattr(self, name)))
        shape = tuple(self.reward.shape)
        if len(shape) != 1 or shape[0] == 0:
            raise ValueError(f"Trajectories are flat arrays (N,) of one step at least; got the shape {shape}.")
        for name in (*names[1:], "terminated", "ends"):
            require_like(self, name, getattr(self, name))
        for name in names:
            require_finite_array(name, getattr(self, name))
        self._require_ends()

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def goes_on(self) -> Array:
        """Whether there is anything to be expected after a step: 0 where the task ended, else 1, as ``(N,)``."""
        return in_float64(~self.terminated)

    def _require_ends(self) -> None:
        if not bool(self.ends[-1]):
            raise ValueError(
                "The last step must be the end of a trajectory; it is not. Mark it in `ends`: without `terminated` it "
                "is a truncation, and the value of its next state stands for what would have come."
            )
        if bool((self.terminated & ~self.ends).any()):
            raise ValueError(
                "A trajectory ends where its task does; `terminated` has steps that `ends` has not. Mark them in both."
            )


def backward(steps: Trajectories, step: Step) -> Array:
    """Return an estimate of each step, made from that of the step after it, as ``(N,)``.

    The last steps of all trajectories go first, then those before them, and so on: as many calls as the longest
    trajectory has steps.

    Args:
        steps: The trajectories.
        step: See :data:`Step`.

    Raises:
        ValueError: An estimate is not finite.
    """
    last = np.flatnonzero(on_host(steps.ends))
    lengths = np.diff(last, prepend=-1)
    last = last[np.argsort(-lengths, kind="stable")]
    there = len(last) - np.searchsorted(np.sort(lengths), np.arange(lengths.max()), side="right")
    ends = like(last, steps.reward)
    following = (steps.goes_on * steps.next_value)[ends]
    estimate: Any = namespace(steps.reward).zeros_like(steps.reward)
    for back, count in enumerate(there.tolist()):
        index = ends[:count] - back
        following = step(index, following[:count])
        estimate[index] = following
    require_finite_estimate(estimate, int(lengths.max()))
    return estimate


def following_estimate(steps: Trajectories, estimate: Array) -> Array:
    """Return ``G_{t+1}`` of estimates ``G_t``, as ``(N,)``: 0 after an end of the task, V after a truncation."""
    shifted = namespace(steps.reward).roll(estimate, -1)
    shifted[steps.ends] = (steps.goes_on * steps.next_value)[steps.ends]
    return shifted


def require_like(steps: Trajectories, name: str, values: Array) -> None:
    """Raise ``ValueError`` unless there is one value a step, ``TypeError`` where arrays and tensors are mixed."""
    namespace(steps.reward, values)
    if tuple(values.shape) != tuple(steps.reward.shape):
        raise ValueError(
            f"There must be one value a step, {len(steps)} in all; `{name}` has the shape {tuple(values.shape)}."
        )


def require_finite_array(name: str, values: Array) -> None:
    """Raise ``ValueError`` unless all values are finite."""
    if not bool((finite := namespace(values).isfinite(values)).all()):
        raise ValueError(
            f"`{name}` must be finite; {int((~finite).sum())} of its {len(values)} numbers are not. A network that "
            "gives such numbers has diverged: lower its learning rate."
        )


def require_finite_estimate(estimate: Array, longest: int) -> None:
    """Raise ``ValueError`` unless all estimates are finite."""
    if not bool(namespace(estimate).isfinite(estimate).all()):
        raise ValueError(
            f"An estimate must be finite; over up to {longest} steps, weights above 1 have multiplied to more than a "
            "number can hold. Clip them lower; with a `clip` of 1 that cannot be."
        )
