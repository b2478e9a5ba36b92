"""Pays step by step for how a reference is followed, over one row of open-end DTW in each lane."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.alignment import Reference, RowState, StreamingRows, increment, progress, shaping
from transreward_wrappers.compensation import Float, Follower, Transitions
from transreward_wrappers.dtw.labels import ToSource


class FollowReference(Follower):
    """Pays for progress along one reference.

    Args:
        reference: What is followed.
        lanes: Number of lanes.
        form: What is paid.
        to_source: Of observations.
        tau: Of the gate of ``progress``.
        penalty: Of ``progress`` and ``shaping`` [reward a unit of cost].
        gamma: Of ``shaping``.
    """

    OBSERVED = 2
    """The share of the reference that is covered, and what the row's minimum grew by in the last step."""

    def __init__(
        self,
        reference: Reference,
        lanes: int,
        *,
        form: Literal["progress", "increment", "shaping"],
        to_source: ToSource,
        tau: float,
        penalty: float,
        gamma: float,
    ) -> None:
        self._rows = StreamingRows(reference, lanes=lanes)
        self._form, self._to_source = form, to_source
        self._tau, self._penalty, self._gamma = tau, penalty, gamma
        self._grown = np.zeros(lanes)

    def start(self, lanes: NDArray[np.bool_]) -> None:
        """Begin at the reference's beginning in some lanes, as ``(L,)``."""
        self._rows.reset(lanes)
        self._grown[lanes] = 0.0

    def pay(self, batch: Transitions, lanes: NDArray[np.bool_]) -> Float:
        """Return what is paid for a transition in each of some lanes, as ``(B,)``."""
        seen = np.zeros((len(lanes), batch.next_observation.shape[1]))
        seen[lanes] = batch.next_observation
        before = self._rows.state
        after = self._rows.step(self._to_source(seen), None if lanes.all() else lanes)
        self._grown = np.where(lanes, -increment(before, after), self._grown)
        return self._paid(before, after, batch, lanes)[lanes]

    def observe(self) -> Float:
        """Return the share of the reference that is covered [-], and what the distance last grew by, as ``(L, 2)``."""
        return np.stack([self._rows.state.phase, self._grown], axis=1)

    def _paid(self, before: RowState, after: RowState, batch: Transitions, lanes: NDArray[np.bool_]) -> Float:
        """Return what each lane's step is paid, as ``(L,)``."""
        if self._form == "shaping":
            terminated = np.zeros(len(lanes), dtype=np.bool_)
            terminated[lanes] = batch.terminated
            return shaping(before, after, terminated, gamma=self._gamma, penalty=self._penalty)
        if self._form == "increment":
            paid = increment(before, after)
        else:
            paid = progress(before, after, tau=self._tau, penalty=self._penalty)
        # The distance grows on where nothing is left to follow: to charge that would make an early end better.
        return np.where(before.over, 0.0, paid)
