"""What passed through, in sums that are kept with the compensation, alone or together with other processes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from transreward_wrappers.compensation import Float
from transreward_wrappers.storage import write_json

SUMS = ("steps", "counted", "weight", "spread", "looked_up", "covered", "measured", "reward", "reward_squared")
FLUSH_EVERY = 256
"""Transitions of one process after which others see them."""


class Tally:
    """Counts transitions, and adds up what diagnostics and weights need of them.

    The standard deviation of the environment's rewards is that of the first ``measured_steps`` transitions, or a few
    more where they come by many at a time, and stays.

    Args:
        measured_steps: Transitions.
    """

    def __init__(self, measured_steps: int) -> None:
        self._measured_steps = measured_steps
        self._path: Path | None = None
        self._own = dict.fromkeys(SUMS, 0.0)
        self._known = dict.fromkeys(SUMS, 0.0)
        self.deviation: float | None = None
        """Of the environment's rewards [reward]; ``None`` before it is known."""

    def __getitem__(self, name: str) -> float:
        return self._known[name] + self._own[name]

    @property
    def steps(self) -> int:
        """Transitions that have passed through."""
        return int(self["steps"])

    def mean(self, name: str, per: str = "counted") -> float | None:
        """Return a sum divided by another; ``None`` if that is 0."""
        return self[name] / self[per] if self[per] else None

    def add(self, **amounts: float) -> None:
        """Add to sums by their names; rewards are left to :meth:`add_rewards`."""
        for name, amount in amounts.items():
            self._own[name] += amount
        if self._path is None or self._own["steps"] >= FLUSH_EVERY:
            self.flush()

    def add_rewards(self, rewards: Float) -> None:
        """Add rewards of the environment, as ``(B,)``."""
        self._own["measured"] += len(rewards)
        self._own["reward"] += float(rewards.sum())
        self._own["reward_squared"] += float(np.square(rewards).sum())

    def begin_round(self, deviation: float) -> None:
        """Forget all but the number of steps, and know the deviation of the rewards from the start."""
        sums = {**dict.fromkeys(SUMS, 0.0), "steps": self.state()["sums"]["steps"]}
        self.restore({"sums": sums, "deviation": deviation})

    def forget(self) -> None:
        """Forget all but the deviation of the rewards."""
        self.flush()
        self.restore({"sums": dict.fromkeys(SUMS, 0.0), "deviation": self.deviation})

    def deviation_with(self, rewards: Float) -> float | None:
        """Return the deviation as it is known once these are added, as ``(B,)``; others may add more meanwhile."""
        if self._path is not None and self._own["steps"] + len(rewards) < FLUSH_EVERY:
            return self.deviation
        sums = [self["measured"], self["reward"], self["reward_squared"]]
        more = [len(rewards), float(rewards.sum()), float(np.square(rewards).sum())]
        return self._measured(*(one + other for one, other in zip(sums, more, strict=True)))

    def flush(self) -> None:
        """Show what was added to whoever shares the tally, and see what they have added."""
        if self._path is None:
            self._settle()
            return
        with FileLock(f"{self._path}.lock"):
            if self._path.exists():
                self._set(json.loads(self._path.read_text()))
            self._settle()
            write_json(self._path, self._state())

    def share(self, path: Path) -> None:
        """Add up together with all processes that name the same file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.flush()

    def state(self) -> dict[str, Any]:
        """Return everything, as JSON types."""
        self.flush()
        return self._state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what :meth:`state` returned, for all who share the tally."""
        self._own = dict.fromkeys(SUMS, 0.0)
        self._set(state)
        if self._path is not None:
            with FileLock(f"{self._path}.lock"):
                write_json(self._path, self._state())

    def _settle(self) -> None:
        """Make what was added known, and the deviation, once there is enough of it."""
        for name, amount in self._own.items():
            self._known[name] += amount
        self._own = dict.fromkeys(SUMS, 0.0)
        self.deviation = self._measured(*(self._known[name] for name in ("measured", "reward", "reward_squared")))

    def _measured(self, count: float, total: float, squared: float) -> float | None:
        """Return the deviation: what is known of it, or that of these sums if there is enough of them."""
        if self.deviation is not None or count < self._measured_steps:
            return self.deviation
        return math.sqrt(max(squared / count - (total / count) ** 2, 0.0))

    def _state(self) -> dict[str, Any]:
        return {"sums": dict(self._known), "deviation": self.deviation}

    def _set(self, state: Mapping[str, Any]) -> None:
        self._known = {name: float(state["sums"][name]) for name in SUMS}
        self.deviation = None if state["deviation"] is None else float(state["deviation"])
