"""ONNX Runtime behind an engine: run a graph on raw addresses.

On the CPU one session serves all contexts and streams of an engine, so the weights are held once. With ONNX
Runtime's CUDA provider there is one session for each CUDA stream, because the stream is fixed when a session
is made; work is then enqueued on that stream and the call returns early.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnxruntime as ort
import torch
from onnx import TensorProto

from .graph import DTYPES
from .header import TensorSpec

Shape = tuple[int, ...]

_NO_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "no-such-folder")


@dataclass(frozen=True)
class Buffer:
    """A piece of memory that an input is read from or an output written to."""

    name: str
    onnx_type: int
    shape: Shape
    address: int
    on_host: bool = False


def has_cuda() -> bool:
    """Whether ONNX Runtime was installed with its CUDA provider."""
    return "CUDAExecutionProvider" in ort.get_available_providers()


def threads() -> int:
    """Intra-op threads of a session: ``TRT_HELPERS_THREADS``, or 0 for ONNX Runtime's choice (all cores)."""
    return int(os.environ.get("TRT_HELPERS_THREADS", "0"))


def _check_tensor(spec: TensorSpec, found: ort.NodeArg) -> None:
    """One tensor of the header against the one of the graph. ``found.shape`` is empty where nothing is known of it."""
    kind = f"tensor({TensorProto.DataType.Name(spec.onnx_type).lower()})"
    if found.type != kind or DTYPES.get(spec.onnx_type) != spec.dtype:
        raise ValueError(f"{spec.name} is {found.type} there, and {spec.dtype} in the header")
    if found.shape and len(found.shape) != len(spec.shape):
        raise ValueError(f"{spec.name} has {len(found.shape)} dimensions there, and {len(spec.shape)} in the header")


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

    def _make(self, onnx: bytes, stream: int | None) -> ort.InferenceSession:
        """A session for a stream; None: only to look at the graph, on the CPU, without the work of optimising it."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # what goes wrong is raised, and logged by the context
        # A graph that points to files for its weights must not make us read any file of this machine.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NO_FOLDER)
        providers: list = ["CPUExecutionProvider"]
        if stream is None:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        elif self.device == "cuda":
            providers.insert(0, ("CUDAExecutionProvider", {"user_compute_stream": str(stream)}))
        session = ort.InferenceSession(onnx, options, providers=providers)
        # It keeps the model's bytes in case a provider fails and others are tried: the weights once more in memory.
        session.disable_fallback()
        session._model_bytes = None  # noqa: SLF001
        return session

    def check(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        """Header and graph speak of the same tensors, so that no buffer is made smaller than what is written into it.

        Raises:
            ValueError: they do not; a checksum says nothing about it, since whoever writes a plan can write that, too.
        """
        session = self._by_stream[0] if self.device == "cpu" else self._make(self._onnx, None)
        found = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
        for what, specs in (("inputs", inputs), ("outputs", outputs)):
            by_name = {tensor.name: tensor for tensor in found[what]}
            more = by_name.keys() - {spec.name for spec in specs} if what == "inputs" else ()
            if more or not by_name.keys() >= {spec.name for spec in specs}:
                raise ValueError(f"its {what} are not those of the header")
            for spec in specs:
                _check_tensor(spec, by_name[spec.name])

    def _session(self, stream: int) -> ort.InferenceSession:
        key = stream if self.device == "cuda" else 0
        with self._lock:
            if key not in self._by_stream:
                self._by_stream[key] = self._make(self._onnx, stream)
            return self._by_stream[key]

    def run(
        self, inputs: Iterable[Buffer], outputs: Iterable[Buffer], unsized: Iterable[str] = (), stream: int = 0
    ) -> dict[str, ort.OrtValue]:
        """Run on these addresses: to the end on the CPU, enqueued on ``stream`` on CUDA.

        The default stream, 0, is the exception on CUDA. ONNX Runtime would take a stream of its own for it, so the
        run waits for what is there, and the caller for the run, as TensorRT's warning says that it waits too.

        Parameters:
            unsized: outputs whose size is known only afterwards. ONNX Runtime allocates them.

        Returns:
            The unsized outputs.

        Raises:
            Exception: whatever ONNX Runtime raises, with its own text.
        """
        session = self._session(stream)
        binding = session.io_binding()
        for b in inputs:
            where = "cpu" if b.on_host else self.device
            binding.bind_input(b.name, where, 0, b.onnx_type, b.shape, b.address)
        for b in outputs:
            binding.bind_output(b.name, self.device, 0, b.onnx_type, b.shape, b.address)
        for name in unsized:
            binding.bind_output(name, self.device)
        options = None
        if self.device == "cuda" and stream == 0:
            torch.cuda.default_stream().synchronize()
        elif self.device == "cuda":
            options = ort.RunOptions()
            options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        session.run_with_iobinding(binding, options)
        if not unsized:
            return {}
        return dict(zip(unsized, list(binding.get_outputs())[-len(list(unsized)) :], strict=True))
