"""Where the work runs: CPU streams (``cpu_stream.py``), or the caller's own CUDA streams.

Both say the same four things: put work on a stream, wait for it, ask whether it is done, record an event on it.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import torch

from ..cpu_stream import event_of, stream_of
from ..cuda_stream import driver
from .refusal import Refused

_SOMEWHERE = 256


class Cpu:
    """Work goes into the queue of a stream, and the call returns at once."""

    name = "cpu"

    def check(self, stream: int, event: int) -> None:
        """Refuse handles of streams and events that do not exist (any more)."""
        if stream_of(stream) is None:
            raise Refused("unknown_stream", handle=stream)
        if event and event_of(event) is None:
            raise Refused("unknown_event", handle=event)

    def submit(self, work: Callable[[], None], stream: int) -> None:
        """Put ``work`` on a stream. What it raises becomes the stream's sticky error."""
        stream_of(stream).enqueue(work)

    def wait(self, stream: int) -> None:
        """Wait for a stream; raises what failed on it."""
        stream_of(stream).synchronize()

    def drain(self, stream: int) -> None:
        """Wait for a stream; what failed on it is told to others."""
        stream_of(stream).mark().reached.wait()

    def pending(self, stream: int) -> Callable[[], bool]:
        """A function that tells whether what is on the stream now is still unfinished."""
        mark = stream_of(stream).mark()
        return lambda: not mark.reached.is_set()

    def record(self, event: int, stream: int) -> None:
        """Record an event behind everything on the stream."""
        event_of(event).record(stream_of(stream))

    def somewhere(self) -> int:
        """An address that is not 0, for a tensor without elements."""
        return _SOMEWHERE

    def stopwatch(self, stream: int) -> Callable[[], Callable[[], float]]:
        """Start timing the work that follows. Called, it stops; what that returns gives the ms."""
        start = time.perf_counter()

        def stop() -> Callable[[], float]:
            elapsed_ms = (time.perf_counter() - start) * 1000
            return lambda: elapsed_ms

        return stop

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy bytes, now."""
        ctypes.memmove(target, source, size)


class Cuda:
    """ONNX Runtime enqueues kernels on the caller's stream itself; submitting means calling it."""

    name = "cuda"
    _spare: torch.Tensor | None = None

    def check(self, stream: int, event: int) -> None:
        """Nothing is known about a CUDA handle before it is used."""

    def submit(self, work: Callable[[], None], stream: int) -> None:
        """Enqueue now."""
        try:
            work()
        except Refused:
            raise
        except Exception as error:
            raise Refused("execution_failed", reason=first_line(error)) from None

    def wait(self, stream: int) -> None:
        """Wait for a stream."""
        self._stream(stream).synchronize()

    drain = wait

    def pending(self, stream: int) -> Callable[[], bool]:
        """A function that tells whether what is on the stream now is still unfinished."""
        event = torch.cuda.Event()
        event.record(self._stream(stream))
        return lambda: not event.query()

    def somewhere(self) -> int:
        """The same, in the GPU's memory."""
        if self._spare is None:
            self._spare = torch.empty(_SOMEWHERE, dtype=torch.uint8, device="cuda")
        return self._spare.data_ptr()

    def stopwatch(self, stream: int) -> Callable[[], Callable[[], float]]:
        """As on the CPU; on a GPU the work is only enqueued, so the ms are there when the stream has come so far."""
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record(self._stream(stream))

        def stop() -> Callable[[], float]:
            events[1].record(self._stream(stream))
            return lambda: events[1].synchronize() or events[0].elapsed_time(events[1])

        return stop

    def record(self, event: int, stream: int) -> None:
        """Record an event behind everything on the stream."""
        self._driver("cuEventRecord", ctypes.c_void_p(event), ctypes.c_void_p(stream))

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy bytes on the device, in the stream's order."""
        addresses = ctypes.c_uint64(target), ctypes.c_uint64(source)
        self._driver("cuMemcpyDtoDAsync_v2", *addresses, ctypes.c_size_t(size), ctypes.c_void_p(stream))

    @staticmethod
    def _stream(handle: int) -> torch.cuda.Stream:
        return torch.cuda.ExternalStream(handle) if handle else torch.cuda.default_stream()

    @staticmethod
    def _driver(function: str, *arguments: object) -> None:
        # PyTorch wraps no foreign event; the driver's own library takes any handle.
        status = getattr(driver(), function)(*arguments)
        if status:
            raise Refused("execution_failed", reason=f"{function} returned {status}")


def make_device(name: str) -> Cpu | Cuda:
    """The device of an engine: ``"cpu"`` or ``"cuda"``."""
    return Cuda() if name == "cuda" else Cpu()


def first_line(error: Exception) -> str:
    """An error in one line, for the log."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
