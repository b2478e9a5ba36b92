"""Many jobs in processes of one thread each: one that fails, or whose process is killed, loses none of the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from transreward_baselines.script import plain_warning

Job = tuple[Any, ...]
"""The arguments of the function that does it."""

PATIENCE = 10.0
"""How long a process may take to end before it is killed [s]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What became of a job."""

    name: str

    result: Any = None
    """What the function returned."""

    error: str | None = None
    """Why it did not."""

    traceback: str = ""


def run_jobs(
    function: Callable[..., Any], jobs: Mapping[str, Job], *, workers: int, tell: Callable[[Finished], None]
) -> None:
    """Call a function once a job, in as many processes as there are workers, and tell of each job when it is over.

    Processes begin anew, without what this one holds, work on one thread, and end when this one does, by whatever.

    Args:
        function: What does a job; found by its module, as are its arguments' classes.
        jobs: Its arguments, by the name of the job, in the order in which they are begun.
        workers: Jobs at a time.
        tell: Called in this process.
    """
    waiting = deque(jobs.items())
    crew: list[_Worker] = []
    try:
        crew += [_Worker(function) for _ in range(min(workers, len(waiting)))]
        for worker in crew:
            worker.begin(*waiting.popleft())
        while busy := {worker.connection: worker for worker in crew if worker.name is not None}:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]  # one of those that were waited for
                finished = worker.finish()
                if not worker.alive:
                    crew.remove(worker)
                    if waiting:
                        crew.append(worker := _Worker(function))
                if waiting:
                    worker.begin(*waiting.popleft())
                tell(finished)
    finally:
        for worker in crew:
            worker.dismiss()
        for worker in crew:
            worker.end()


class _Worker:
    """A process that does one job after another."""

    def __init__(self, function: Callable[..., Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.name: str | None = None
        self.alive = True
        self._function = function
        self._process = context.Process(target=_work, args=(theirs, os.getpid()))
        with _environment(OMP_NUM_THREADS="1", TQDM_DISABLE="1"):  # read when modules are imported
            self._process.start()
        theirs.close()  # so that the end of the process is the end of the connection

    def begin(self, name: str, job: Job) -> None:
        """Hand a job over."""
        self.name = name
        with suppress(BrokenPipeError):  # the process has ended, which `finish` tells
            self.connection.send((self._function, job))

    def finish(self) -> Finished:
        """Return what became of the job, once there is something to read."""
        name, self.name = self.name, None
        assert name is not None
        try:
            return Finished(name=name, **self.connection.recv())
        except (EOFError, ConnectionError):
            self.alive = False
            self.connection.close()
            self.end()
            return Finished(name=name, error=f"Its process ended with exit code {self._process.exitcode}.")

    def dismiss(self) -> None:
        """Tell the process to end, in the middle of a job if it has one."""
        self.connection.close()  # which ends one that waits for a job
        if self.name is not None:
            self._process.terminate()

    def end(self) -> None:
        """Wait until the process has ended."""
        self._process.join(PATIENCE)
        self._process.kill()
        self._process.join()


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Have a request to end, as of a cluster's scheduler, do what an interrupt from the keyboard does.

    Python would end at once by default, without writing what there is so far. A handler of somebody else's stays, and
    only the main thread can set one.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Have other environment variables meanwhile, which processes that are started keep."""
    before = dict(os.environ)
    os.environ |= values
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _work(connection: Connection, parent: int) -> None:
    """Do jobs as they come, in this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    warnings.formatwarning = plain_warning
    while True:
        try:
            function, job = connection.recv()
        except EOFError:
            return
        try:
            reply = {"result": function(*job)}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        connection.send(reply)


def end_with(parent: int) -> None:
    """End this process when its parent has: a killed command leaves no job behind."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
