"""Streams, events and gates without a GPU: what CUDA's are on a GPU, worker threads are here.

A stream is a queue of work that is done one piece after the other. Putting work into it returns at once; two
streams know nothing of each other, unless an event ties them together. That is all that CUDA promises, and it
is enough to be right or wrong in the same places: an output read before ``synchronize`` is as wrong here as on
a GPU.

What fails on a stream is sticky: the work behind it is dropped, and whoever waits for the stream, or for an event
recorded on it, gets the error. (CUDA is harsher: after an error of a kernel every stream of the process is lost.)
"""

from __future__ import annotations

import atexit
import itertools
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import TensorRTError, checked_stream, fresh

# A handle is a number, as in CUDA. Streams and events count apart: one is never taken for the other.
_stream_handles = itertools.count(0x1000)
_event_handles = itertools.count(0x2000_0000)
_streams: weakref.WeakValueDictionary[int, CpuStream] = weakref.WeakValueDictionary()
_events: weakref.WeakValueDictionary[int, CpuEvent] = weakref.WeakValueDictionary()
_gates: weakref.WeakSet[CpuGate] = weakref.WeakSet()
_workers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_registry = threading.Lock()  # of streams and workers
_STOP = None
_forked = False

Work = Callable[[], None]


def _note_fork() -> None:
    """In a forked child, where no thread but one goes on: streams would wait for their workers for ever."""
    global _forked
    _forked = len(_workers) > 0


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_note_fork)


def _refuse_forked() -> None:
    """As CUDA does: a child of a process that used streams can use none."""
    if _forked:
        raise TensorRTError("forked")


class _Mark:
    """One point in a stream: reached or not, when, and with which error if the work before it failed."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.at = 0.0
        self.error: Exception | None = None

    def reach(self, error: Exception | None) -> None:
        self.at, self.error = time.perf_counter(), error
        self.reached.set()

    def wait(self) -> None:
        if not self.reached.is_set():
            _refuse_forked()
        self.reached.wait()
        if self.error is not None:
            raise fresh(self.error)


class CpuStream:
    """A first-in first-out queue of work with one worker thread.

    Attributes:
        handle: the integer that ``execute_async_v3`` takes, as ``torch.cuda.Stream.cuda_stream`` on a GPU.
    """

    def __init__(self, handle: int | None = None) -> None:
        _refuse_forked()
        self.handle = next(_stream_handles) if handle is None else handle
        self._state = _Work(queue.SimpleQueue())
        # The worker holds the queue, not the stream: a forgotten stream finishes its work and then ends. Said before
        # the worker starts: whoever is interrupted in between must not leave one behind that nobody ends.
        self._end = weakref.finalize(self, self._state.end)
        self._end.atexit = False  # _drain does it, in the right order
        self._worker = threading.Thread(target=_work, args=(self._state,), daemon=True, name=f"stream-{self.handle}")
        self._worker.start()
        with _registry:
            _streams[self.handle] = self
            _workers.add(self._worker)

    def enqueue(self, work: Work) -> None:
        """Put ``work`` behind everything enqueued before, and return at once."""
        self._state.put(work)

    @contextmanager
    def holding(self, *objects: object) -> Iterator[None]:
        """What this thread enqueues in the ``with`` block keeps these objects alive until it is done.

        So there is no moment in which work is in the queue and nobody holds what it reads and writes.
        """
        held, before = self._state.held, getattr(self._state.held, "objects", ())
        held.objects = (*before, *objects)
        try:
            yield
        finally:
            held.objects = before

    def mark(self) -> _Mark:
        """A point behind everything enqueued so far. It is reached even if that work fails."""
        mark = _Mark()
        self._state.put(mark)
        return mark

    def synchronize(self) -> None:
        """Wait until everything enqueued so far is done.

        Raises:
            The error of the first piece of work that failed, each time.
        """
        self.mark().wait()

    def query(self) -> bool:
        """Whether everything enqueued so far is done.

        Raises:
            The error of the first piece of work that failed.
        """
        finished = self._state.done == self._state.given  # before the error: work that ends in between is not done
        if self._state.error is not None:
            raise fresh(self._state.error)
        return finished

    def record_event(self, event: CpuEvent | None = None) -> CpuEvent:
        """Record ``event`` (default: a fresh one) behind everything enqueued so far, and return it."""
        event = event or CpuEvent()
        event.record(self)
        return event

    def wait_event(self, event: CpuEvent) -> None:
        """Work enqueued from now on waits for ``event``; the caller does not."""
        event.wait(self)

    def wait_stream(self, stream: CpuStream) -> None:
        """Work enqueued from now on waits for what ``stream`` has been given so far; the caller does not."""
        self.wait_event(checked_stream(stream, CpuStream).record_event())

    def __repr__(self) -> str:
        return f"<CPU stream {self.handle:#x}>"


class _Work:
    """What a stream shares with its worker thread."""

    def __init__(self, work_queue: queue.SimpleQueue) -> None:
        self.queue = work_queue
        self.error: Exception | None = None
        self.given = 0  # pieces of work put in by anyone, under the lock
        self.done = 0  # pieces taken out and finished by the worker
        self.ended = False
        self.held = threading.local()  # objects: what a thread's new work keeps alive
        self._lock = threading.Lock()

    def put(self, work: Work | _Mark) -> None:
        _refuse_forked()
        with self._lock:
            if self.ended:
                raise RuntimeError("The interpreter is ending: this stream does no more work.")
            self.given += 1
            self.queue.put((work, getattr(self.held, "objects", ())))

    def end(self) -> None:
        """Nothing comes behind this: the worker does what is there, and ends."""
        with self._lock:
            self.ended = True
            self.queue.put(_STOP)


def _work(state: _Work) -> None:
    """The worker: do one piece after the other, until the stream is gone."""
    while (item := state.queue.get()) is not _STOP:
        work = item[0]  # beside it is what it keeps alive
        if isinstance(work, _Mark):
            state.done += 1  # before it is reached: who waited for it finds the stream done
            work.reach(state.error)
        else:
            if state.error is None:
                try:
                    work()
                except BaseException as error:  # SystemExit too: without its worker the stream would hang for ever
                    state.error = error
            state.done += 1
        item = work = None  # its tensors must not wait for the next piece of work


class CpuEvent:
    """A point in a stream that others can wait for, with the names of ``torch.cuda.Event``.

    Attributes:
        handle: the integer that ``set_input_consumed_event`` takes, as ``torch.cuda.Event.cuda_event`` on a GPU.

    An event that was never recorded counts as done. Recording it again moves it: whoever waits already waits
    for the older point.
    """

    def __init__(self) -> None:
        self.handle = next(_event_handles)
        self._mark: _Mark | None = None
        _events[self.handle] = self

    def record(self, stream: CpuStream | None = None) -> None:
        """Put the event behind everything enqueued so far on ``stream`` (default: the default stream)."""
        self._mark = _given_or_default(stream).mark()

    def wait(self, stream: CpuStream | None = None) -> None:
        """Work enqueued on ``stream`` from now on waits for the event; the caller does not.

        If the work before the event failed, so does the work that waits for it.
        """
        waiting = _given_or_default(stream)
        if self._mark is not None:
            waiting.enqueue(self._mark.wait)

    def query(self) -> bool:
        """Whether the event is done, that is, all work before it.

        Raises:
            The error of that work, if it failed.
        """
        mark = self._mark
        if mark is None or not mark.reached.is_set():
            return mark is None
        mark.wait()
        return True

    def synchronize(self) -> None:
        """Wait for the event.

        Raises:
            The error of the work before it, if it failed.
        """
        if self._mark is not None:
            self._mark.wait()

    def elapsed_time(self, end_event: CpuEvent) -> float:
        """Milliseconds between this event and ``end_event``.

        Raises:
            RuntimeError: one of them was never recorded, or is not done.
        """
        marks = (self._mark, end_event._mark)
        if any(mark is None or not mark.reached.is_set() for mark in marks):
            raise RuntimeError("Both events must be recorded and done before their time can be taken.")
        return (marks[1].at - marks[0].at) * 1000

    def __repr__(self) -> str:
        return f"<CPU event {self.handle:#x}>"


class CpuGate:
    """Holds a stream back until it is opened: it decides a race, where a sleep would only make it likely.

    with th.Gate() as gate:
        gate.hold(stream)        # work enqueued from now on waits
        context.execute_async_v3(stream.handle)
        ...                      # the work has certainly not started
                                 # here the gate opens
    """

    def __init__(self) -> None:
        self._opened = threading.Event()
        _gates.add(self)
        weakref.finalize(self, self._opened.set)  # nobody can open a gate that is gone: it must not hold for ever

    def hold(self, stream: CpuStream) -> None:
        """Work enqueued on ``stream`` from now on waits until the gate is opened; the caller does not."""
        checked_stream(stream, CpuStream).enqueue(self._opened.wait)

    def open(self) -> None:
        """Let the held streams go on. A gate stays open."""
        self._opened.set()

    def __enter__(self) -> CpuGate:
        return self

    def __exit__(self, *_: object) -> None:
        """Opened at the end of a ``with`` block, also when it raises: nothing hangs."""
        self.open()


def stream_of(handle: int) -> CpuStream | None:
    """The live stream with this handle, or None. Handle 0 is the default stream, made at its first use."""
    if handle == 0:
        return default_stream()
    return _streams.get(handle)


def event_of(handle: int) -> CpuEvent | None:
    """The live event with this handle, or None."""
    return _events.get(handle)


_default_lock = threading.Lock()
_default: list[CpuStream] = []


def default_stream() -> CpuStream:
    """The stream with handle 0."""
    with _default_lock:
        if not _default:
            _default.append(CpuStream(0))
    return _default[0]


def _given_or_default(stream: CpuStream | None) -> CpuStream:
    return default_stream() if stream is None else checked_stream(stream, CpuStream)


def synchronize_all() -> None:
    """Wait for the work of every stream, as ``torch.cuda.synchronize`` does; also of streams already forgotten."""
    with _registry:
        workers, streams = list(_workers), list(_streams.values())
    for stream in streams:
        stream.mark().reached.wait()  # what failed there is told to whoever waits for that stream
    alive = {stream._worker for stream in streams}
    for worker in workers:
        if worker not in alive:
            worker.join()


@atexit.register
def _drain() -> None:
    """Let the workers finish before the interpreter takes ONNX Runtime away under them; for ten seconds in all."""
    for gate in list(_gates):
        gate.open()
    with _registry:
        workers, streams = list(_workers), list(_streams.values())
    for stream in streams:
        stream._end()
    deadline = time.monotonic() + 10
    for worker in workers:  # those of forgotten streams too
        worker.join(timeout=max(0.0, deadline - time.monotonic()))
