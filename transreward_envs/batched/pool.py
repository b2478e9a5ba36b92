"""Threads of Python that share work; MuJoCo's functions let go of the interpreter's lock, so that they run at once."""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread

Work = Callable[[int, int], None]
"""Takes the number of the thread that works, the caller's being 0, and an item."""

Outbox = SimpleQueue[BaseException | None]
Job = tuple[Work, deque[int], Outbox]
Inbox = SimpleQueue[Job | None]


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
        queue, outbox = deque(items), Outbox()
        helpers, error = 0, None  # type: int, BaseException | None
        try:
            while helpers < min(self.threads, len(queue)) - 1:
                self._inbox.put((work, queue, outbox))
                helpers += 1
            error = _drain(work, queue, 0)
        except KeyboardInterrupt as interrupt:
            error = interrupt
        while helpers:
            try:
                error = outbox.get() or error
                helpers -= 1
            except KeyboardInterrupt as interrupt:
                queue.clear()
                error = interrupt
        if error is not None:
            raise error

    def close(self) -> None:
        """End the threads."""
        self._stop()


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _drain(work: Work, queue: deque[int], thread: int) -> BaseException | None:
    """Work until nothing is left, and return what went wrong; then there is nothing left for others either."""
    try:
        while queue:
            try:
                item = queue.popleft()
            except IndexError:  # another thread took the last
                return None
            work(thread, item)
    except BaseException as error:  # an interrupt too: it is raised again once no thread works
        queue.clear()
        return error
    return None


def _serve(inbox: Inbox, thread: int) -> None:
    """Do jobs until there is none; nothing of a job is held while waiting for the next."""
    while _serve_one(inbox.get(), thread):
        pass


def _serve_one(job: Job | None, thread: int) -> bool:
    """Do one job, and return whether there was one."""
    if job is None:
        return False
    work, queue, outbox = job
    outbox.put(_drain(work, queue, thread))
    return True


def _end(inbox: Inbox, workers: list[Thread]) -> None:
    """End the threads."""
    for _ in workers:
        inbox.put(None)
    for worker in workers:
        worker.join()
