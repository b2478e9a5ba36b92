"""Ledgers of environment steps: who has spent how many in which domain, and what is left of the target's budget.

Steps in the target are reserved before they are taken, so that no budget is ever overspent, however many environments
draw on it. An episode in the target has one step reserved while it goes on, so that what is reserved tells how many do.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym


class Ledger(Protocol):
    """Counts steps and grants those of the target."""

    lanes: int
    """Environments of this process that share the ledger."""

    @property
    def source_steps(self) -> int:
        """Steps taken in the source."""

    @property
    def target_steps(self) -> int:
        """Steps taken in the target."""

    @property
    def reserved(self) -> int:
        """Target steps set aside."""

    def count_source(self, steps: int) -> None:
        """Add steps taken in the source; others may see them at the next :meth:`flush` only."""

    def flush(self) -> None:
        """Show all steps to whoever shares the ledger."""

    def reserve(self, steps: int = 1) -> int:
        """Set target steps aside, and return how many; fewer than asked for where the budget has no more left."""

    def release(self, steps: int = 1) -> None:
        """Give reserved steps back."""

    def spend(self, steps: int = 1) -> None:
        """Turn reserved steps into taken ones."""

    def restore(self, source_steps: int, target_steps: int) -> None:
        """Set the counts, as when a run resumes; what is reserved stays so."""


class LocalLedger:
    """A ledger of one process.

    Args:
        target_budget: Target steps in all; no limit when ``None``.
    """

    def __init__(self, target_budget: int | None) -> None:
        self._budget = target_budget
        self.lanes = 1
        self.reserved = 0
        self.restore(0, 0)

    def __getstate__(self) -> dict[str, Any]:
        """Reserve nothing in a copy: its episodes do not go on."""
        return {**self.__dict__, "reserved": 0}

    def restore(self, source_steps: int, target_steps: int) -> None:
        """Set the counts."""
        self.source_steps, self.target_steps = source_steps, target_steps

    def count_source(self, steps: int) -> None:
        """Add steps taken in the source."""
        self.source_steps += steps

    def flush(self) -> None:
        """Do nothing: nobody else looks on."""

    def reserve(self, steps: int = 1) -> int:
        """Set target steps aside, and return how many."""
        left = steps if self._budget is None else max(self._budget - self.target_steps - self.reserved, 0)
        granted = min(steps, left)
        self.reserved += granted
        return granted

    def release(self, steps: int = 1) -> None:
        """Give reserved steps back."""
        self.reserved -= steps

    def spend(self, steps: int = 1) -> None:
        """Turn reserved steps into taken ones."""
        self.reserved -= steps
        self.target_steps += steps


class SharedLedger:
    """A ledger in a file, for several processes at once; a killed process loses at most the step that it had reserved.

    Args:
        target_budget: Target steps in all, of all processes; no limit when ``None``.
        directory: Folder of the file, made if it is missing.
        owner: What the folder is for; only equal owners share it.

    Raises:
        ValueError: The folder belongs to another owner or budget, or its file is no ledger.
    """

    def __init__(self, target_budget: int | None, directory: str | os.PathLike[str], *, owner: str = "") -> None:
        self._budget = target_budget
        self._owner = f"{owner} with a target budget of {target_budget}"
        self._path = Path(directory) / "steps.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._process = -1
        self._unwritten = 0
        self.lanes = 1

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_unwritten": 0}

    @property
    def source_steps(self) -> int:
        """Steps taken in the source, by all processes."""
        return self._read("source") + self._unwritten

    @property
    def target_steps(self) -> int:
        """Steps taken in the target, by all processes."""
        return self._read("target")

    @property
    def reserved(self) -> int:
        """Target steps set aside, by all processes."""
        return self._read("reserved")

    def count_source(self, steps: int) -> None:
        """Add steps taken in the source, which are written at the next :meth:`flush`."""
        self._unwritten += steps

    def flush(self) -> None:
        """Write the steps taken in the source."""
        if self._unwritten:
            self._write("UPDATE steps SET source = source + ?", self._unwritten)
            self._unwritten = 0

    def reserve(self, steps: int = 1) -> int:
        """Set target steps aside, and return how many."""
        if self._budget is None:
            self._write("UPDATE steps SET reserved = reserved + ?", steps)
            return steps
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            (left,) = connection.execute("SELECT ? - target - reserved FROM steps", (self._budget,)).fetchone()
            granted = min(steps, max(int(left), 0))
            connection.execute("UPDATE steps SET reserved = reserved + ?", (granted,))
        finally:
            connection.execute("COMMIT")
        return granted

    def release(self, steps: int = 1) -> None:
        """Give reserved steps back."""
        self._write("UPDATE steps SET reserved = max(reserved - ?, 0)", steps)

    def spend(self, steps: int = 1) -> None:
        """Turn reserved steps into taken ones."""
        self._write("UPDATE steps SET reserved = max(reserved - ?, 0), target = target + ?", steps, steps)

    def restore(self, source_steps: int, target_steps: int) -> None:
        """Set the counts."""
        self._unwritten = 0
        self._write("UPDATE steps SET source = ?, target = ?", source_steps, target_steps)

    def _read(self, column: str) -> int:
        row = self._open().execute(f"SELECT {column} FROM steps").fetchone()
        return int(row[0])

    def _write(self, statement: str, *values: int) -> None:
        self._open().execute(statement, values)

    def _open(self) -> sqlite3.Connection:
        """Return this process's own connection; one that came over a fork is left alone."""
        if self._connection is None or self._process != os.getpid():
            self._connection = self._connect()
            self._process = os.getpid()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        """Return a connection to the file, made if it is missing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=60.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # safe against a killed process
            connection.execute(
                "CREATE TABLE IF NOT EXISTS steps "
                "(one INTEGER PRIMARY KEY, owner TEXT, source INTEGER, target INTEGER, reserved INTEGER)"
            )
            connection.execute("INSERT OR IGNORE INTO steps VALUES (1, ?, 0, 0, 0)", (self._owner,))
            (owner,) = connection.execute("SELECT owner FROM steps").fetchone()
        except sqlite3.DatabaseError as error:
            connection.close()
            raise ValueError(f"{self._path} is no ledger of steps ({error}). Choose another `shared_state`.") from error
        if owner != self._owner:
            connection.close()
            raise ValueError(
                f"A `shared_state` folder belongs to one run; {self._path.parent} to {owner}, not to {self._owner}. "
                "Choose another folder, or delete it."
            )
        return connection


def target_is_due(ledger: Ledger, *, ratio: float, horizon: int) -> bool:
    """Say whether the next episode of environments that share a ledger is a target one.

    It is where target steps < ratio * all steps. Each other episode under way counts as one of full length, so that
    environments that start together do not all enter the target.

    Args:
        ledger: Their ledger; the episode to come has nothing reserved there yet.
        ratio: Share of all steps that the target gets.
        horizon: Steps of an episode of full length.
    """
    target, others = ledger.target_steps, ledger.lanes - 1
    ahead = target + horizon * ledger.reserved
    return ahead < ratio * (ledger.source_steps + target + horizon * others)


def open_ledger(target_budget: int | None, shared_state: str | None, *, owner: str) -> Ledger:
    """Return a ledger of this process, or one shared through the folder ``shared_state``.

    Raises:
        ValueError: The folder belongs to another owner or budget.
    """
    if shared_state is not None:
        ledger = SharedLedger(target_budget, shared_state, owner=owner)
        assert ledger.target_steps >= 0  # opens the file, so that a wrong folder is found at once
        return ledger
    if multiprocessing.current_process().daemon:
        _say_once_that_this_worker_is_alone()
    return LocalLedger(target_budget)


@cache
def _say_once_that_this_worker_is_alone() -> None:
    gym.logger.warn(
        "This worker process has a target budget, and a learner, of its own. Pass `shared_state=DIR` to have all "
        "workers spend one budget and learn together."
    )
