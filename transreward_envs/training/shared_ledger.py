"""A ledger of environment steps that several processes share."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class SharedLedger:
    """A ledger in a file, for several processes at once.

    What a process has reserved and not taken is given back once it is found dead: when the next one opens the file.
    Processes are told apart by their numbers, so that those of one machine may share a file, and not those of several
    containers.

    Args:
        target_budget: Target steps in all, of all processes; no limit when ``None``.
        directory: Folder of the file, made if it is missing.
        owner: What the folder is for; only equal owners share it.

    Raises:
        ValueError: The folder belongs to another owner or budget, or its file is no ledger.
    """

    def __init__(self, target_budget: int | None, directory: str | os.PathLike[str], *, owner: str = "") -> None:
        self._budget = target_budget
        self.owner = with_budget(owner, target_budget)
        self._path = Path(directory) / "steps.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._process = -1
        self._holder = ""
        self._unwritten, self._counter = 0, os.getpid()
        self.lanes = 1

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_unwritten": 0}

    @property
    def source_steps(self) -> int:
        """Steps taken in the source, by all processes."""
        self._forget_parent()
        return self._read("source") + self._unwritten

    @property
    def target_steps(self) -> int:
        """Steps taken in the target, by all processes."""
        return self._read("target")

    @property
    def reserved(self) -> int:
        """Target steps set aside, by all processes."""
        with busy():
            (reserved,) = self._open().execute("SELECT total(reserved) FROM holders").fetchone()
        return int(reserved)

    def count_source(self, steps: int) -> None:
        """Add steps taken in the source, which are written at the next :meth:`flush`."""
        self._forget_parent()
        self._unwritten += steps

    def flush(self) -> None:
        """Write the steps taken in the source."""
        self._forget_parent()
        if self._unwritten:
            self._write("UPDATE steps SET source = source + ?", self._unwritten)
            self._unwritten = 0

    def reserve(self, steps: int = 1) -> int:
        """Set target steps aside, and return how many."""
        with self._transaction() as connection:
            (taken,) = connection.execute("SELECT target + (SELECT total(reserved) FROM holders) FROM steps").fetchone()
            granted = steps if self._budget is None else min(steps, max(self._budget - int(taken), 0))
            self._hold(connection, granted)
        return granted

    def release(self, steps: int = 1) -> None:
        """Give reserved steps back; those of a process that this one was forked from stay its own."""
        if self._process != os.getpid() or not steps:
            return
        if getattr(_here, "depth", 0):  # asked for by an environment that is dropped in the midst of another's entry
            _here.later.append((self, steps))
            return
        with self._transaction() as connection:
            self._hold(connection, -steps)

    def spend(self, steps: int = 1) -> None:
        """Turn reserved steps into taken ones."""
        with self._transaction() as connection:
            self._hold(connection, -steps)
            connection.execute("UPDATE steps SET target = target + ?", (steps,))

    def restore(self, source_steps: int, target_steps: int) -> None:
        """Set the counts."""
        self._unwritten, self._counter = 0, os.getpid()
        self._write("UPDATE steps SET source = ?, target = ?", source_steps, target_steps)

    def _forget_parent(self) -> None:
        """After a fork, leave steps that are not written yet to the process that took them."""
        if self._counter != os.getpid():
            self._unwritten, self._counter = 0, os.getpid()

    def _read(self, column: str) -> int:
        with busy():
            (steps,) = self._open().execute(f"SELECT {column} FROM steps").fetchone()
        return int(steps)

    def _write(self, statement: str, *values: int) -> None:
        with busy():
            self._open().execute(statement, values)

    def _hold(self, connection: sqlite3.Connection, steps: int) -> None:
        """Reserve more steps, or fewer."""
        statement = "UPDATE holders SET reserved = max(reserved + ?, 0) WHERE holder = ?"
        if not connection.execute(statement, (steps, self._holder)).rowcount:  # struck off by one that took it for dead
            self._enter(connection, max(steps, 0))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Have nobody else read or write meanwhile."""
        with busy():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        """Return this process's own connection; one that came over a fork is left alone."""
        if self._connection is None or self._process != os.getpid():
            self._connection = self._connect()
            self._process = os.getpid()
            self._enrol()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        """Return a connection to the file, made if it is missing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=60.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # safe against a killed process
            connection.execute(
                "CREATE TABLE IF NOT EXISTS steps (one INTEGER PRIMARY KEY, owner TEXT, source INTEGER, target INTEGER)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS holders "
                "(holder TEXT PRIMARY KEY, host TEXT, process INTEGER, reserved INTEGER)"
            )
            connection.execute("INSERT OR IGNORE INTO steps VALUES (1, ?, 0, 0)", (self.owner,))
            (owner,) = connection.execute("SELECT owner FROM steps").fetchone()
        except sqlite3.DatabaseError as error:
            connection.close()
            raise ValueError(f"{self._path} is no ledger of steps ({error}). Choose another `shared_state`.") from error
        if owner != self.owner:
            connection.close()
            raise ValueError(
                f"A `shared_state` folder belongs to one run; {self._path.parent} to {owner}, not to {self.owner}. "
                "Choose another folder, or delete it."
            )
        return connection

    def _enrol(self) -> None:
        """Begin to hold reserved steps in this process, and give back those of processes that are dead."""
        self._holder, host = uuid.uuid4().hex, (socket.gethostname(),)
        with self._transaction() as connection:
            rows = connection.execute("SELECT holder, process FROM holders WHERE host = ?", host).fetchall()
            for holder, process in rows:
                if not is_alive(process):
                    connection.execute("DELETE FROM holders WHERE holder = ?", (holder,))
            self._enter(connection, 0)

    def _enter(self, connection: sqlite3.Connection, reserved: int) -> None:
        """Put this process down as one that holds steps."""
        row = (self._holder, socket.gethostname(), os.getpid(), reserved)
        connection.execute("INSERT INTO holders VALUES (?, ?, ?, ?)", row)


_here = threading.local()
"""How deep this thread is in a ledger's file, and what it is to give back once it is out."""


@contextmanager
def busy() -> Iterator[None]:
    """Have what is dropped meanwhile wait to give its steps back: this thread has the file open.

    Python may collect garbage, and with it environments of other ledgers of the same file, at any moment.
    """
    _here.depth, _here.later = getattr(_here, "depth", 0) + 1, getattr(_here, "later", [])
    try:
        yield
    finally:
        _here.depth -= 1
    while _here.later and not _here.depth:
        ledger, steps = _here.later.pop()
        ledger.release(steps)


def with_budget(owner: str, target_budget: int | None) -> str:
    """Return what a ledger is for, its budget included."""
    return f"{owner} with a target budget of {target_budget}"


def is_alive(process: int) -> bool:
    """Say whether a process of this machine lives; where nothing tells, it does."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
