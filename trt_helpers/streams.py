"""Streams, the same in every lane: PyTorch's CUDA streams on a GPU, worker threads on the CPU.

``execute_async_v3`` takes a stream as an integer. ``Stream().handle`` is that integer.
"""

from __future__ import annotations

import torch

from .backend import device

__all__ = ["Stream", "default_stream", "synchronize_all"]


class CudaStream:
    """``torch.cuda.Stream`` with the names this course uses in every lane.

    Attributes:
        torch_stream: the stream itself, for ``torch.cuda.stream(...)`` and ``record_stream``.
    """

    def __init__(self, torch_stream: torch.cuda.Stream | None = None) -> None:
        self.torch_stream = torch.cuda.Stream() if torch_stream is None else torch_stream

    @property
    def handle(self) -> int:
        """The integer that ``execute_async_v3`` takes: a ``cudaStream_t``."""
        return self.torch_stream.cuda_stream

    def synchronize(self) -> None:
        """Wait until everything enqueued so far is done."""
        self.torch_stream.synchronize()


if device.type == "cuda":
    Stream = CudaStream

    def default_stream() -> CudaStream:
        """The stream with handle 0, which TensorRT warns about."""
        return CudaStream(torch.cuda.default_stream())

    def synchronize_all() -> None:
        """Wait for the work of every stream."""
        torch.cuda.synchronize()

else:
    # Imported only here: it comes with TensorRT-RTX, which a machine in the lane tensorrt need not have.
    from .reference.cpu_stream import CpuStream, default_stream, synchronize_all

    Stream = CpuStream
