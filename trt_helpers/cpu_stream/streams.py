"""``CpuStream``, ``CpuEvent``, ``CpuGate``: a queue of work with a thread of its own, a point in it, a halt."""

from __future__ import annotations

import atexit
import itertools
import threading
import time
import weakref
from contextlib import AbstractContextManager, nullcontext

from ..errors import checked_stream, fresh
from .work import Mark, Queue, Work, refuse_forked, workers

# A handle is a number, as in CUDA. Streams and events count apart: one is never taken for the other.
_stream_handles = itertools.count(0x1000)
_event_handles = itertools.count(0x2000_0000)
_streams: weakref.WeakValueDictionary[int, CpuStream] = weakref.WeakValueDictionary()
_events: weakref.WeakValueDictionary[int, CpuEvent] = weakref.WeakValueDictionary()
_gates: weakref.WeakSet[CpuGate] = weakref.WeakSet()
_registry = threading.Lock()  # of streams and workers


class CpuStream:
    """A first-in first-out queue of work with one worker thread.

    Attributes:
        handle: the integer that ``execute_async_v3`` takes, as ``torch.cuda.Stream.cuda_stream`` on a GPU.
        worker: the thread that does the work.
        end: called when nobody has the stream any more, or Python ends: the worker finishes what is there.
    """

    def __init__(self, handle: int | None = None) -> None:
        refuse_forked()
        self.handle = next(_stream_handles) if handle is None else handle
        self._queue = Queue()
        # The worker holds the queue, not the stream: a forgotten stream finishes its work and then ends. Said before
        # the worker starts: whoever is interrupted in between must not leave one behind that nobody ends.
        self.end = weakref.finalize(self, self._queue.end)
        self.end.atexit = False  # _drain does it, in the right order
        self.worker = threading.Thread(target=self._queue.work, daemon=True, name=f"stream-{self.handle}")
        self.worker.start()
        with _registry:
            _streams[self.handle] = self
            workers.add(self.worker)

    def enqueue(self, work: Work) -> None:
        """Put ``work`` behind everything enqueued before, and return at once."""
        self._queue.put(work)

    def as_current(self) -> AbstractContextManager[None]:
        """On a GPU: in the ``with`` block this is PyTorch's current stream. Here PyTorch has none."""
        return nullcontext()

    def holding(self, *objects: object) -> AbstractContextManager[None]:
        """What this thread enqueues in the ``with`` block keeps these objects alive until it is done.

        So there is no moment in which work is in the queue and nobody holds what it reads and writes.
        """
        return self._queue.holding(*objects)

    def mark(self) -> Mark:
        """A point behind everything enqueued so far. It is reached even if that work fails."""
        mark = Mark()
        self._queue.put(mark)
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
        finished = self._queue.done == self._queue.given  # before the error: work that ends in between is not done
        if self._queue.error is not None:
            raise fresh(self._queue.error)
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

    def wait_current(self) -> None:
        """On a GPU: wait for PyTorch's current stream. Here PyTorch has done its work when its calls return."""

    def __repr__(self) -> str:
        return f"<CPU stream {self.handle:#x}>"


class CpuEvent:
    """A point in a stream that others can wait for, with the names of ``torch.cuda.Event``.

    Attributes:
        handle: the integer that ``set_input_consumed_event`` takes, as ``torch.cuda.Event.cuda_event`` on a GPU.

    An event that was never recorded counts as done. Recording it again moves it: whoever waits already waits
    for the older point.
    """

    def __init__(self) -> None:
        self.handle = next(_event_handles)
        self._mark: Mark | None = None
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


class CpuGate(AbstractContextManager):
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


def _there() -> tuple[list[CpuStream], list[threading.Thread]]:
    """All streams that somebody has, and all workers."""
    with _registry:
        return list(_streams.values()), list(workers)


def synchronize_all() -> None:
    """Wait for the work of every stream, as ``torch.cuda.synchronize`` does; also of streams already forgotten."""
    streams, threads = _there()
    for stream in streams:
        stream.mark().reached.wait()  # what failed there is told to whoever waits for that stream
    alive = {stream.worker for stream in streams}
    for thread in threads:
        if thread not in alive:
            thread.join()


@atexit.register
def _drain() -> None:
    """Let the workers finish before the interpreter takes ONNX Runtime away under them; for ten seconds in all."""
    for gate in list(_gates):
        gate.open()
    streams, threads = _there()
    for stream in streams:
        stream.end()
    deadline = time.monotonic() + 10
    for thread in threads:  # those of forgotten streams too
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
