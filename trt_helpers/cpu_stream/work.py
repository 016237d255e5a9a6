"""A stream's work and the thread that does it: a queue in which each piece of work carries what it keeps alive."""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import TensorRTError, fresh

Work = Callable[[], None]
_STOP = None

# Of all streams, also of those that are forgotten and still have work.
workers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_forked = False


def _note_fork() -> None:
    """In a forked child, where no thread but one goes on: streams would wait for their workers for ever."""
    global _forked
    _forked = len(workers) > 0


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_note_fork)


def refuse_forked() -> None:
    """As CUDA does: a child of a process that used streams can use none."""
    if _forked:
        raise TensorRTError("forked")


class Mark:
    """One point in a stream: reached or not, when, and with which error if the work before it failed."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.at = 0.0
        self.error: Exception | None = None

    def reach(self, error: Exception | None) -> None:
        """All work before it is done, or dropped because of this error."""
        self.at, self.error = time.perf_counter(), error
        self.reached.set()

    def wait(self) -> None:
        """Wait until it is reached, and raise the error."""
        if not self.reached.is_set():
            refuse_forked()
        self.reached.wait()
        if self.error is not None:
            raise fresh(self.error)


class Queue:
    """What a stream shares with its worker, and all that the worker has: the stream may be forgotten.

    Attributes:
        given: pieces of work put in by anyone.
        done: pieces taken out and finished by the worker.
        error: of the first piece that failed; those behind it are dropped.
    """

    def __init__(self) -> None:
        self.given = self.done = 0
        self.error: Exception | None = None
        self._items: queue.SimpleQueue = queue.SimpleQueue()
        self._held = threading.local()  # objects: what a thread's new work keeps alive
        self._ended = False
        self._lock = threading.Lock()

    def put(self, work: Work | Mark) -> None:
        """Put this behind everything that is there, with what is held for it."""
        refuse_forked()
        with self._lock:
            if self._ended:
                raise RuntimeError("The interpreter is ending: this stream does no more work.")
            self.given += 1
            self._items.put((work, getattr(self._held, "objects", ())))

    def end(self) -> None:
        """Nothing comes behind this: the worker does what is there, and ends."""
        with self._lock:
            self._ended = True
            self._items.put(_STOP)

    @contextmanager
    def holding(self, *objects: object) -> Iterator[None]:
        """What this thread puts in within the ``with`` block keeps these objects alive until it is done."""
        before = getattr(self._held, "objects", ())
        self._held.objects = (*before, *objects)
        try:
            yield
        finally:
            self._held.objects = before

    def work(self) -> None:
        """The worker: do one piece after the other, until the stream is gone."""
        while (item := self._items.get()) is not _STOP:
            work = item[0]  # beside it is what it keeps alive
            if isinstance(work, Mark):
                self.done += 1  # before it is reached: who waited for it finds the stream done
                work.reach(self.error)
            else:
                if self.error is None:
                    try:
                        work()
                    except BaseException as error:  # SystemExit too: without its worker the stream would hang for ever
                        self.error = error
                self.done += 1
            item = work = None  # its tensors must not wait for the next piece of work
