"""Open-end DTW as it happens: one row of the recursion a step, O(T_ref), for all lanes at once.

    A_tj = c_tj + min(A_t-1,j-1, A_t-1,j, A_t,j-1)

With S_j = c_t0 + ... + c_tj and B_j = min(A_t-1,j-1, A_t-1,j), the row is A_tj = S_j + min_k<=j (B_k - S_k-1): two
scans in place of a loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transreward_envs.errors import require_count
from transreward_wrappers.alignment.reference import Reference
from transreward_wrappers.compensation import Float

TIE = 1e-9
"""Relative difference below which two cells of a row are equal; the scans round."""

NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RowState:
    """Where ``L`` lanes are in their references, after a step or a reset; never changed."""

    steps: NDArray[np.int64]
    """Observations since the reset, as ``(L,)``."""

    row: Float
    """The newest row of A, as ``(L, T_ref)``; infinite beyond a reference's end, and everywhere after a reset."""

    costs: Float
    """Of the newest observations, as ``(L, T_ref)``; 0 after a reset."""

    minimum: Float
    """The row's minimum, the open-end distance so far, as ``(L,)``; 0 after a reset. It never falls."""

    matched: NDArray[np.int64]
    """Where the row is lowest, as ``(L,)``; of ties, the nearest to the diagonal; -1 after a reset."""

    covered: NDArray[np.int64]
    """The furthest step that was ever matched, as ``(L,)``; -1 after a reset."""

    rewards: Float
    """Of each lane's reference, as ``(L, T_ref)``; 0 beyond its end."""

    floors: Float
    """Of each lane's reference, from which a gate pays, as ``(L,)``."""

    lengths: NDArray[np.int64]
    """Of each lane's reference, as ``(L,)``."""

    @property
    def phase(self) -> Float:
        """The share of the reference that is covered [-], as ``(L,)``: 0 after a reset, 1 when it is done."""
        phase: Float = (self.covered + 1) / self.lengths
        return phase

    @property
    def over(self) -> NDArray[np.bool_]:
        """Whether all of the reference is covered, so that nothing is left to follow, as ``(L,)``."""
        over: NDArray[np.bool_] = self.covered == self.lengths - 1
        return over


class StreamingRows:
    """The newest row of each lane. A single environment is one lane.

    A reference's first observation is what comes after its first action, and so is the first that is given to
    :meth:`step`: the observation of a reset is not.

    Args:
        references: One for all lanes, or several of the same features; lanes begin with one after the other.
        lanes: L.

    Raises:
        TypeError: ``lanes`` is not an integer.
        ValueError: It is below 1, there is no reference, or references are of different features.
    """

    def __init__(self, references: Reference | Sequence[Reference], *, lanes: int = 1) -> None:
        references = [references] if isinstance(references, Reference) else list(references)
        require_count("lanes", lanes, at_least=1)
        if len({reference.size for reference in references}) != 1:
            sizes = [reference.size for reference in references]
            raise ValueError(f"`references` must be at least one, all of the same features; got features {sizes}.")
        self._count, self._size = len(references), references[0].size
        self._lengths = np.array([len(reference) for reference in references])
        self._rewards = _stacked([reference.rewards for reference in references])
        self._floors = np.array([reference.floor for reference in references])
        self._normalised = _stacked([reference.normalised for reference in references]).swapaxes(1, 2).copy()
        self._scales = np.stack([reference.scale for reference in references])
        self._index = np.arange(self._rewards.shape[1])
        self._which = np.arange(lanes) % self._count
        self._take(np.ones(lanes, dtype=bool))
        self.state = self._fresh()

    def reset(
        self, mask: NDArray[np.bool_] | None = None, *, references: NDArray[np.integer] | int | None = None
    ) -> RowState:
        """Begin anew, and return the new state.

        Args:
            mask: Of the lanes that do, as ``(L,)``; all by default.
            references: Which reference each of them is to follow, by index, as ``(L,)`` or one for all; the same as
                before by default.

        Raises:
            ValueError: A reference's index is out of range, or the mask is of other lanes.
        """
        chosen = self._mask(mask)
        if references is not None:
            which = np.broadcast_to(np.asarray(references), chosen.shape)
            if which.dtype.kind not in "iu" or ((which < 0) | (which >= self._count))[chosen].any():
                raise ValueError(f"`references` must be indices from 0 to {self._count - 1}; got {references}.")
            self._which = np.where(chosen, which, self._which)
            self._take(chosen)
        self.state = _merged(chosen, self._fresh(), self.state)
        return self.state

    def step(self, observations: ArrayLike, mask: NDArray[np.bool_] | None = None) -> RowState:
        """Take in an observation of each lane, and return the new state.

        Args:
            observations: As ``(L, D)``.
            mask: Of the lanes that stepped, as ``(L,)``; others keep their row. All by default.

        Raises:
            ValueError: Observations are of another shape or not finite, or the mask is of other lanes.
        """
        seen = np.asarray(observations, dtype=np.float64)
        if seen.shape != (len(self._which), self._size):
            raise ValueError(f"`observations` must have the shape {(len(self._which), self._size)}; got {seen.shape}.")
        stepped = None if mask is None else self._mask(mask)
        if stepped is not None:
            seen = np.where(stepped[:, None], seen, 0.0)
        if not np.isfinite(seen).all():
            lanes = np.flatnonzero(~np.isfinite(seen).all(axis=1)).tolist()
            raise ValueError(f"`observations` must be finite; those of lanes {lanes} are not.")
        state = self._advanced(seen / self._scale)
        self.state = state if stepped is None else _merged(stepped, state, self.state)
        return self.state

    def _advanced(self, seen: Float) -> RowState:
        """Return the state after normalised observations."""
        old = self.state
        differences = seen[:, :, None] - self._points
        costs = np.square(differences, out=differences).sum(axis=1)
        row, sums = old.row.copy(), costs.cumsum(axis=1)
        np.minimum(row[:, 1:], old.row[:, :-1], out=row[:, 1:])
        row[:, 1:] -= sums[:, :-1]
        row[old.steps == 0, 0] = 0.0
        np.minimum.accumulate(row, axis=1, out=row)
        row += sums
        np.maximum(row, costs, out=row)
        if self._beyond is not None:
            row[self._beyond] = np.inf
        minimum = np.maximum(row.min(axis=1), old.minimum)  # rounding apart, it never falls
        tied = row <= (minimum + TIE * (1.0 + minimum))[:, None]
        matched = np.where(tied, abs(self._index - old.steps[:, None]), NOWHERE).argmin(axis=1)
        return RowState(
            steps=old.steps + 1,
            row=row,
            costs=costs,
            minimum=minimum,
            matched=matched,
            covered=np.maximum(old.covered, matched),
            rewards=old.rewards,
            floors=old.floors,
            lengths=old.lengths,
        )

    def _take(self, chosen: NDArray[np.bool_]) -> None:
        """Lay out the references that chosen lanes follow; one for all lanes is laid out once."""
        which = self._which if self._count > 1 else self._which[:1]
        if self._count == 1 or chosen.all():
            self._points = self._normalised[which]
        else:
            self._points[chosen] = self._normalised[which[chosen]]
        self._scale = self._scales[which]
        beyond = self._index >= self._lengths[which][:, None]
        self._beyond = beyond if beyond.any() else None

    def _fresh(self) -> RowState:
        """Return the state in which nothing was seen."""
        lanes = len(self._which)
        shape = (lanes, len(self._index))
        return RowState(
            steps=np.zeros(lanes, dtype=np.int64),
            row=np.full(shape, np.inf),
            costs=np.zeros(shape),
            minimum=np.zeros(lanes),
            matched=np.full(lanes, -1),
            covered=np.full(lanes, -1),
            rewards=self._rewards[self._which],
            floors=self._floors[self._which],
            lengths=self._lengths[self._which],
        )

    def _mask(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Return a mask of lanes."""
        if mask is None:
            return np.ones(len(self._which), dtype=bool)
        chosen = np.asarray(mask)
        if chosen.dtype != np.bool_ or chosen.shape != self._which.shape:
            raise ValueError(f"`mask` must be {len(self._which)} booleans, one for each lane; got {mask!r}.")
        return chosen


def _stacked(arrays: Sequence[Float]) -> Float:
    """Return arrays of several lengths as one, with zeros behind the shorter ones."""
    stacked = np.zeros((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]))
    for place, array in zip(stacked, arrays, strict=True):
        place[: len(array)] = array
    return stacked


def _merged(chosen: NDArray[np.bool_], new: RowState, old: RowState) -> RowState:
    """Return the new state of chosen lanes and the old one of the others."""
    parts = {}
    for field in dataclasses.fields(RowState):
        here, there = getattr(new, field.name), getattr(old, field.name)
        parts[field.name] = np.where(chosen.reshape(-1, *[1] * (here.ndim - 1)), here, there)
    return RowState(**parts)
