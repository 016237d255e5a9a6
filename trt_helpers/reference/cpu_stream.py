"""Streams without a GPU: what ``torch.cuda.Stream`` is on a GPU, a worker thread is here.

A stream is a queue of work that is done one piece after the other. Putting work into it returns at once; two
streams know nothing of each other. That is all that CUDA promises, and it is enough to be right or wrong in
the same places: an output read before ``synchronize`` is as wrong here as on a GPU.
"""

from __future__ import annotations

import atexit
import itertools
import queue
import threading
import weakref
from collections.abc import Callable

_handles = itertools.count(0x1000)
_streams: weakref.WeakValueDictionary[int, CpuStream] = weakref.WeakValueDictionary()
_STOP = None


class CpuStream:
    """A first-in first-out queue of work with one worker thread.

    Attributes:
        handle: the integer that ``execute_async_v3`` takes, as ``torch.cuda.Stream.cuda_stream`` on a GPU.

    A failed piece of work makes the stream's error sticky, as in CUDA: the work behind it is dropped, and every
    ``synchronize`` raises the error again.
    """

    def __init__(self, handle: int | None = None) -> None:
        self.handle = next(_handles) if handle is None else handle
        self._state = _Work(queue.SimpleQueue())
        self._worker = threading.Thread(target=_work, args=(self._state,), daemon=True, name=f"stream-{self.handle}")
        self._worker.start()
        _streams[self.handle] = self
        # The worker holds the queue, not the stream: a forgotten stream finishes its work and then ends.
        self._end = weakref.finalize(self, self._state.queue.put, _STOP)
        self._end.atexit = False  # _drain does it, in the right order

    def enqueue(self, work: Callable[[], None]) -> None:
        """Put ``work`` behind everything enqueued before, and return at once."""
        self._state.queue.put(work)

    def synchronize(self) -> None:
        """Wait until everything enqueued so far is done.

        Raises:
            The error of the first piece of work that failed, each time.
        """
        done = threading.Event()
        self._state.queue.put(done)
        done.wait()
        if self._state.error is not None:
            raise self._state.error

    def __repr__(self) -> str:
        return f"<CPU stream {self.handle:#x}>"


class _Work:
    """What a stream shares with its worker thread."""

    def __init__(self, work_queue: queue.SimpleQueue) -> None:
        self.queue = work_queue
        self.error: Exception | None = None


def _work(state: _Work) -> None:
    """The worker: do one piece after the other, until the stream is gone."""
    while (work := state.queue.get()) is not _STOP:
        if isinstance(work, threading.Event):
            work.set()
        elif state.error is None:
            try:
                work()
            except Exception as error:
                state.error = error
        work = None  # its tensors must not wait for the next piece of work


def stream_of(handle: int) -> CpuStream | None:
    """The live stream with this handle, or None. Handle 0 is the default stream, made at its first use."""
    if handle == 0:
        return default_stream()
    return _streams.get(handle)


_default_lock = threading.Lock()
_default: list[CpuStream] = []


def default_stream() -> CpuStream:
    """The stream with handle 0."""
    with _default_lock:
        if not _default:
            _default.append(CpuStream(0))
    return _default[0]


@atexit.register
def _drain() -> None:
    """Let every worker finish before the interpreter takes ONNX Runtime away under it."""
    live = list(_streams.values())
    for stream in live:
        stream._end()
    for stream in live:
        stream._worker.join(timeout=10)
