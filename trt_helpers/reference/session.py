"""ONNX Runtime behind an engine: run a graph on raw addresses.

On the CPU one session serves all contexts and streams of an engine, so the weights are held once. With ONNX
Runtime's CUDA provider there is one session for each CUDA stream, because the stream is fixed when a session
is made; work is then enqueued on that stream and the call returns early.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import onnxruntime as ort

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Buffer:
    """A piece of memory that an input is read from or an output written to."""

    name: str
    onnx_type: int
    shape: Shape
    address: int


def has_cuda() -> bool:
    """Whether ONNX Runtime was installed with its CUDA provider."""
    return "CUDAExecutionProvider" in ort.get_available_providers()


def threads() -> int:
    """Intra-op threads of a session: ``TRT_HELPERS_THREADS``, or 0 for ONNX Runtime's choice (all cores)."""
    return int(os.environ.get("TRT_HELPERS_THREADS", "0"))


class Sessions:
    """The session, or on CUDA the sessions, of one engine.

    Parameters:
        onnx: the serialised model; on the CPU it is not kept once the session has its weights.
        device: ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, onnx: bytes, device: str) -> None:
        self.device = device
        self._onnx = onnx if device == "cuda" else None
        self._threads = threads()
        self._lock = threading.Lock()
        self._by_stream: dict[int, ort.InferenceSession] = {}
        if device == "cpu":
            self._by_stream[0] = self._make(onnx, 0)

    def _make(self, onnx: bytes, stream: int) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # what goes wrong is raised, and logged by the context
        providers: list = ["CPUExecutionProvider"]
        if self.device == "cuda":
            providers.insert(0, ("CUDAExecutionProvider", {"user_compute_stream": str(stream)}))
        return ort.InferenceSession(onnx, options, providers=providers)

    def _session(self, stream: int) -> ort.InferenceSession:
        key = stream if self.device == "cuda" else 0
        with self._lock:
            if key not in self._by_stream:
                self._by_stream[key] = self._make(self._onnx, stream)
            return self._by_stream[key]

    def run(self, inputs: Iterable[Buffer], outputs: Iterable[Buffer], stream: int = 0) -> None:
        """Run on these addresses: to the end on the CPU, enqueued on ``stream`` on CUDA.

        Raises:
            Exception: whatever ONNX Runtime raises, with its own text.
        """
        session = self._session(stream)
        binding = session.io_binding()
        for b in inputs:
            binding.bind_input(b.name, self.device, 0, b.onnx_type, b.shape, b.address)
        for b in outputs:
            binding.bind_output(b.name, self.device, 0, b.onnx_type, b.shape, b.address)
        options = ort.RunOptions()
        if self.device == "cuda":
            options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        session.run_with_iobinding(binding, options)
