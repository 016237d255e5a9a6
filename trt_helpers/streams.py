"""Streams, the same in every lane: PyTorch's CUDA streams on a GPU, worker threads on the CPU.

``Stream`` is a queue of work, ``Event`` a point in it that others can wait for, ``Gate`` holds a stream back so
that a race has the same winner every time. ``copy_async`` and ``pinned_empty`` move data. Lesson 4 builds on
them; the two implementations are ``cuda_stream.py`` and ``cpu_stream/``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .errors import TensorRTError, checked_stream
from .lanes import device

__all__ = ["Event", "Gate", "Stream", "copy_async", "default_stream", "pinned_empty", "synchronize_all"]

if device.type == "cuda":
    from .cuda_stream import CudaEvent as Event
    from .cuda_stream import CudaGate as Gate
    from .cuda_stream import CudaStream as Stream
    from .cuda_stream import default_stream, synchronize_all
else:
    # Imported only here: it comes with TensorRT-RTX, which a machine in the lane tensorrt need not have.
    from .cpu_stream import CpuEvent as Event
    from .cpu_stream import CpuGate as Gate
    from .cpu_stream import CpuStream as Stream
    from .cpu_stream import default_stream, synchronize_all


def copy_async(target: torch.Tensor, source: torch.Tensor, stream: Stream) -> None:
    """Enqueue a copy and return: ``target`` holds the values once the stream has come to it.

    Both tensors live until then, whatever happens to their names. ``source`` is read when the copy runs, not now,
    and the copy waits for this stream only: if another one fills the source, ``stream.wait_stream`` comes first.
    Only between a GPU and pinned memory is the copy really asynchronous; from pageable memory CUDA first copies
    it to a pinned buffer of its own, while the caller waits.

    Raises:
        TensorRTError: the tensors differ in shape or dtype. TypeError: ``stream`` is none, but a handle, say.
    """
    checked_stream(stream, Stream)
    if target.shape != source.shape or target.dtype != source.dtype:
        asked, wanted = f"{tuple(source.shape)} {source.dtype}", f"{tuple(target.shape)} {target.dtype}"
        raise TensorRTError("copy_does_not_fit", asked=asked, wanted=wanted)
    with stream.holding(target, source):
        stream.enqueue(lambda: _copy(target, source))


def _copy(target: torch.Tensor, source: torch.Tensor) -> None:
    # PyTorch's modes belong to a thread, and on the CPU this is the stream's: no gradients, any kind of tensor.
    with torch.inference_mode():
        target.copy_(source, non_blocking=True)


def pinned_empty(shape: int | Sequence[int], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """An uninitialised tensor in pinned memory of the computer, which a GPU reads and writes by itself.

    Without a GPU there is nothing to pin for, and it is ordinary memory.
    """
    return torch.empty(shape, dtype=dtype, pin_memory=device.type == "cuda")
