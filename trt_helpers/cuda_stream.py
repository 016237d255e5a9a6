"""Streams, events and gates on a GPU: PyTorch's own objects under the names that this course uses in every lane.

Nothing is re-implemented: ``torch_stream`` and ``torch_event`` are there for whoever needs them. CUDA's rules:
PyTorch's notes on CUDA semantics.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from .errors import checked_stream

# What streams held by a gate look at. Never freed: a stream may still be looking when its gate is forgotten.
_flags: list[torch.Tensor] = []
_REACHED = 0  # CU_STREAM_WAIT_VALUE_GEQ: go on once the value in memory is at least the one waited for


class CudaStream:
    """``torch.cuda.Stream``.

    PyTorch has 32 of them for each GPU and hands them out in turns: the 33rd is the first again.

    Attributes:
        torch_stream: the stream itself, for ``torch.cuda.stream(...)``.
    """

    def __init__(self, torch_stream: torch.cuda.Stream | None = None) -> None:
        self.torch_stream = torch.cuda.Stream() if torch_stream is None else torch_stream

    @property
    def handle(self) -> int:
        """The integer that ``execute_async_v3`` takes: a ``cudaStream_t``."""
        return self.torch_stream.cuda_stream

    def enqueue(self, work: Callable[[], object]) -> None:
        """Call ``work`` now, with this as PyTorch's current stream: what it does on the GPU happens in its turn."""
        with self.as_current():
            work()

    def as_current(self) -> AbstractContextManager[None]:
        """In the ``with`` block this is PyTorch's current stream, from whose memory it gives to new tensors."""
        return torch.cuda.stream(self.torch_stream)

    @contextmanager
    def holding(self, *tensors: torch.Tensor) -> Iterator[None]:
        """The memory of these tensors is not given to anybody else before what is enqueued in the block is done.

        PyTorch gives freed GPU memory away at once, because its own work is in order on one stream. Of work on
        this stream it learns from ``record_stream``, and when a tensor goes, waits for all that is on the stream then.
        Pinned memory it guards itself.
        """
        for tensor in tensors:
            if tensor.is_cuda:
                tensor.record_stream(self.torch_stream)
        yield

    def synchronize(self) -> None:
        """Wait until everything enqueued so far is done."""
        self.torch_stream.synchronize()

    def query(self) -> bool:
        """Whether everything enqueued so far is done."""
        return self.torch_stream.query()

    def record_event(self, event: CudaEvent | None = None) -> CudaEvent:
        """Record ``event`` (default: a fresh one) behind everything enqueued so far, and return it."""
        event = event or CudaEvent()
        event.record(self)
        return event

    def wait_event(self, event: CudaEvent) -> None:
        """Work enqueued from now on waits for ``event``; the caller does not."""
        self.torch_stream.wait_event(event.torch_event)

    def wait_stream(self, stream: CudaStream) -> None:
        """Work enqueued from now on waits for what ``stream`` has been given so far; the caller does not."""
        self.torch_stream.wait_stream(checked_stream(stream, CudaStream).torch_stream)

    def wait_current(self) -> None:
        """Work enqueued from now on waits for what PyTorch's current stream has been given; the caller does not."""
        self.torch_stream.wait_stream(torch.cuda.current_stream())

    def __repr__(self) -> str:
        return f"<CUDA stream {self.handle:#x}>"


class CudaEvent:
    """``torch.cuda.Event``, one that takes the time and whose waiters sleep instead of spinning.

    Attributes:
        torch_event: the event itself.
    """

    def __init__(self) -> None:
        self.torch_event = torch.cuda.Event(enable_timing=True, blocking=True)

    @property
    def handle(self) -> int:
        """The integer that ``set_input_consumed_event`` takes: a ``cudaEvent_t``.

        CUDA's event is made when it is first recorded, so an event that never was is recorded now.
        """
        if not self.torch_event.cuda_event:
            self.torch_event.record()
        return self.torch_event.cuda_event

    def record(self, stream: CudaStream | None = None) -> None:
        """Put the event behind everything enqueued so far on ``stream`` (default: the default stream)."""
        stream = _given_or_default(stream)
        self.torch_event.record(stream.torch_stream)

    def wait(self, stream: CudaStream | None = None) -> None:
        """Work enqueued on ``stream`` from now on waits for the event; the caller does not."""
        stream = _given_or_default(stream)
        self.torch_event.wait(stream.torch_stream)

    def query(self) -> bool:
        """Whether the event is done, that is, all work before it."""
        return self.torch_event.query()

    def synchronize(self) -> None:
        """Wait for the event."""
        self.torch_event.synchronize()

    def elapsed_time(self, end_event: CudaEvent) -> float:
        """Milliseconds between this event and ``end_event``.

        Raises:
            RuntimeError: one of them was never recorded, or is not done.
        """
        return self.torch_event.elapsed_time(end_event.torch_event)

    def __repr__(self) -> str:
        return f"<CUDA event {self.torch_event.cuda_event or 0:#x}>"


class CudaGate(AbstractContextManager):
    """Holds a stream back until it is opened: it decides a race, where a sleep would only make it likely.

    with th.Gate() as gate:
        gate.hold(stream)        # work enqueued from now on waits
        context.execute_async_v3(stream.handle)
        ...                      # the work has certainly not started
                                 # here the gate opens

    The stream waits for a number in pinned memory to become 1 (the driver's ``cuStreamWaitValue32``). Three things
    would wait for ever: waiting for a held stream before the gate is open; loading something for the first time
    meanwhile, which may wait for all streams, so run once before; and filling the stream's queue, which holds about
    a thousand kernels.
    """

    def __init__(self) -> None:
        self._flag = torch.zeros(1, dtype=torch.int32, pin_memory=True)
        _flags.append(self._flag)
        # Nobody can open a gate that is gone: it must not hold for ever.
        self._open = weakref.finalize(self, self._flag.fill_, 1)

    def hold(self, stream: CudaStream) -> None:
        """Work enqueued on ``stream`` from now on waits until the gate is opened; the caller does not."""
        handle = ctypes.c_void_p(checked_stream(stream, CudaStream).handle)
        address = ctypes.c_uint64(self._flag.data_ptr())
        status = driver().cuStreamWaitValue32_v2(handle, address, ctypes.c_uint32(1), ctypes.c_uint(_REACHED))
        if status:
            raise RuntimeError(f"The stream could not be held: cuStreamWaitValue32 returned {status}.")

    def open(self) -> None:
        """Let the held streams go on. A gate stays open."""
        self._open()

    def __exit__(self, *_: object) -> None:
        """Opened at the end of a ``with`` block, also when it raises: nothing hangs."""
        self.open()


def driver() -> ctypes.CDLL:
    """The driver's own library, for what PyTorch does not offer: it takes any handle."""
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def default_stream() -> CudaStream:
    """The stream with handle 0, which TensorRT warns about."""
    return CudaStream(torch.cuda.default_stream())


def _given_or_default(stream: CudaStream | None) -> CudaStream:
    return default_stream() if stream is None else checked_stream(stream, CudaStream)


def synchronize_all() -> None:
    """Wait for the work of every stream."""
    torch.cuda.synchronize()
