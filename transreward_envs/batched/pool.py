"""Threads of Python that share work; MuJoCo's functions let go of the interpreter's lock, so that they run at once."""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread, current_thread

Work = Callable[[int, int], None]
"""Takes the number of the thread that works, the caller's being 0, and an item."""

Inbox = SimpleQueue["Job | None"]


@dataclass(frozen=True, slots=True)
class Job:
    """Work on items, by whichever threads take part."""

    work: Work
    items: deque[int]
    """Those that no thread has begun."""

    begun: deque[int] = field(default_factory=deque)
    """Helping threads that take part."""

    ended: deque[BaseException | None] = field(default_factory=deque)
    """What went wrong in each of them that is through."""

    bell: SimpleQueue[None] = field(default_factory=SimpleQueue)
    """Rung by each of them once it is through."""

    def do(self, thread: int) -> None:
        """Work until nothing is left. After an error nothing is left for others either.

        Raises:
            BaseException: What the work raised.
        """
        try:
            while self.items:
                try:
                    item = self.items.popleft()
                except IndexError:  # another thread took the last
                    return
                self.work(thread, item)
        except BaseException:
            self.items.clear()
            raise

    def help(self, thread: int) -> None:
        """Take part in another thread's call."""
        self.begun.append(thread)
        error = None
        try:
            self.do(thread)
        except BaseException as raised:  # raised again where the call was made
            error = raised
        self.ended.append(error)
        self.bell.put(None)

    def wait(self) -> None:
        """Wait for those that help. What is counted is what has ended, so that an interrupt in here loses nothing."""
        while len(self.ended) < len(self.begun):
            self.bell.get()


class Pool:
    """Threads that take items from one queue until it is empty, the caller's among them.

    Nothing that works on an item is left running when a call returns or raises, by an interrupt from the keyboard too.

    Args:
        threads: How many, the caller's among them; all CPUs that the process may use when 0.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads or usable_cpus()
        self._inbox: Inbox = SimpleQueue()
        workers = [Thread(target=_serve, args=(self._inbox, number), daemon=True) for number in range(1, self.threads)]
        for worker in workers:
            worker.start()
        self._stop = weakref.finalize(self, _end, self._inbox, workers)

    def run(self, work: Work, items: Iterable[int]) -> None:
        """Do the work on each item.

        Raises:
            BaseException: What the work raised first; what was not begun is not done.
        """
        job = Job(work, deque(items))
        interrupt = None
        try:
            for _ in range(min(self.threads, len(job.items)) - 1):
                self._inbox.put(job)  # whoever takes it too late finds nothing to do
            job.do(0)
        except BaseException:
            job.items.clear()
            raise
        finally:
            while True:
                try:
                    job.wait()
                    break
                except KeyboardInterrupt as again:
                    job.items.clear()
                    interrupt = again
        for error in (interrupt, *job.ended):
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads."""
        self._stop()


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(inbox: Inbox, thread: int) -> None:
    """Help with jobs until there is none; nothing of a job is held while waiting for the next."""
    while (job := inbox.get()) is not None:
        job.help(thread)
        del job


def _end(inbox: Inbox, workers: list[Thread]) -> None:
    """End the threads; the one that lets go of the pool last may be one of them."""
    for _ in workers:
        inbox.put(None)
    for worker in workers:
        if worker is not current_thread():
            worker.join()
