"""Which runs a process trains next, so that several fill one directory, and none is trained twice or lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from transreward_baselines.benchmark.dara.cells import Run
from transreward_baselines.benchmark.dara.groups import FILE, Group, first_group, read_group
from transreward_baselines.benchmark.dara.rows import read_runs

RUNS = "runs"
"""Folder of all groups, in a table's directory."""

PATIENCE = 5.0
"""Between two looks at what other processes are at [s]."""


class Queue:
    """Groups of runs that are still to be done.

    A group's file tells who its runs are, and a lock beside its folder that a process is at it. A group whose process
    was killed is taken up again as it is, before any other, so that its checkpoints are of use. One that has none, and
    more runs than a group may have by now, is formed anew.

    Args:
        directory: Of the table.
        wanted: Runs that are asked for.
        most: Runs of a group.
    """

    def __init__(self, directory: Path, wanted: Sequence[Run], most: int) -> None:
        self.directory, self.wanted, self.most = directory, tuple(wanted), most
        self.failed: set[Run] = set()
        """Runs that are not to be tried again."""
        self._runs = directory / RUNS
        self._runs.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def next(self) -> Iterator[Group | None]:
        """Give the group to be trained now, which is no other process's meanwhile; none when all is done.

        Where other processes are at the last ones, they are waited for, and replaced if they end before their work.
        """
        while (claim := self._claim()) is None and self._open_runs():
            time.sleep(PATIENCE)
        if claim is None:
            yield None
            return
        group, lock = claim
        try:
            yield group
        finally:
            lock.release()

    def folder(self, group: Group) -> Path:
        """Return a group's folder."""
        return self._runs / group.folder

    def has_checkpoint(self, group: Group) -> bool:
        """Return whether there is something to go on from."""
        return any(self.folder(group).glob("*/checkpoint-*"))

    def divide(self, group: Group) -> bool:
        """Put two halves in place of a group that cannot be trained; return whether it has halves."""
        halves = group.halves()
        if halves:
            with self._lock():
                self._delete(group)
                for half in halves:
                    half.write(self._runs)
        return bool(halves)

    def forget(self, group: Group) -> None:
        """Delete what a group has come to."""
        with self._lock():  # another process may be about to look into its folder
            self._delete(group)

    def _delete(self, group: Group) -> None:
        shutil.rmtree(self.folder(group), ignore_errors=True)

    def _claim(self) -> tuple[Group, BaseFileLock] | None:
        """Return a group that this process may train and its lock; none where others are at all that is left."""
        with self._lock():
            open_runs = self._open_runs()
            begun = [read_group(path) for path in sorted(self._runs.glob(f"*/{FILE}"))]
            begun = [group for group in begun if not open_runs.isdisjoint(group.runs)]
            busy = {run for group in begun if self._is_busy(group) for run in group.runs}
            left = [run for run in self.wanted if run in open_runs and run not in busy]
            if not left:
                return None
            whole = [group for group in begun if {*left}.issuperset(group.runs)]
            for group in [group for group in whole if len(group.runs) > self.most and not self.has_checkpoint(group)]:
                self._delete(group)  # it was killed, perhaps for its memory, and fewer runs at once are asked for
                whole.remove(group)
            group = whole[0] if whole else first_group(left, self.most)
            group.write(self._runs)
            lock = self._lock_of(group)
            lock.acquire()
            return group, lock

    def _is_busy(self, group: Group) -> bool:
        """Return whether a process is at a group."""
        try:
            with self._lock_of(group).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _open_runs(self) -> set[Run]:
        """Return the runs that are to be done by someone."""
        return {*self.wanted} - read_runs(self.directory).keys() - self.failed

    def _lock(self) -> BaseFileLock:
        return FileLock(self.directory / ".groups.lock")

    def _lock_of(self, group: Group) -> BaseFileLock:
        return FileLock(self._runs / f".{group.folder}.lock")
