"""``Runtime``: from the bytes of a plan to an engine, or to None and one line in the log."""

from __future__ import annotations

from collections.abc import Iterator

import tensorrt_rtx as rtx
import torch

from . import model, plan, session
from .arguments import setter_value, type_error
from .device import first_line
from .engine import ICudaEngine, make_engine
from .facade import Facade, WithErrorRecorder, WriteOnly, refusing
from .neutral import NeutralRuntime
from .output_shapes import OutputShapes
from .plan_copy import PlanCopy
from .refusal import Refused
from .reporting import Log

_CHUNK = 16 << 20


class Runtime(NeutralRuntime, WithErrorRecorder, Facade):
    """Stand-in for ``tensorrt.Runtime``: deserialises plans that this package's ``Builder`` made.

    Parameters:
        logger: any ``ILogger``; it also receives the errors of every engine and context made from here.
    """

    def __init__(self, logger: rtx.ILogger) -> None:
        if not isinstance(logger, rtx.ILogger):
            raise TypeError(
                "__init__(): incompatible constructor arguments. The following argument types are supported:\n"
                "    1. tensorrt_rtx_bindings.tensorrt_rtx.Runtime(logger: tensorrt_rtx_bindings.tensorrt_rtx.ILogger)"
                f"\n\nInvoked with: {logger!r}"
            )
        self._log = Log(logger)

    # ---- settings ------------------------------------------------------------------------------------------

    def _keep_allocator(self, allocator: rtx.IGpuAllocator | None) -> None:
        self._gpu_allocator = allocator

    gpu_allocator = WriteOnly("rtx.IGpuAllocator", _keep_allocator, "Accepted: ONNX Runtime has its own. Write-only.")

    @property
    def logger(self) -> rtx.ILogger:
        """The very object passed in."""
        return self._log.logger

    @property
    def DLA_core(self) -> int:
        """-1: no DLA here. Setting it changes nothing."""
        return -1

    @DLA_core.setter
    def DLA_core(self, core: int) -> None:
        setter_value(self, "int", core)

    @property
    def max_threads(self) -> int:
        """At least 1. A refused value raises nothing: it is logged, and the old one stays."""
        return vars(self).get("_max_threads", 1)

    @max_threads.setter
    def max_threads(self, value: int) -> None:
        value = setter_value(self, "int", value)
        if value < 1:
            self._log.error("max_threads")
        else:
            self._max_threads = value

    # ---- engines -------------------------------------------------------------------------------------------

    def deserialize_cuda_engine(self, serialized_engine: object) -> ICudaEngine | None:
        """The engine in a plan, or None with one ERROR in the log. Never raises on bad content. Contract: 4.

        Parameters:
            serialized_engine: any buffer (bytes, bytearray, memoryview, mmap), which may be freed afterwards, or
                an ``IStreamReaderV2`` with ``read(num_bytes, stream)`` and ``seek(offset, where)``.

        Raises:
            TypeError: neither.
        """
        if isinstance(serialized_engine, rtx.IStreamReaderV2):
            return self._deserialize_stream(serialized_engine)
        try:
            data = memoryview(serialized_engine).cast("B")
        except TypeError:
            raise type_error(self, "deserialize_cuda_engine", (serialized_engine,)) from None
        return self._deserialize(data)

    @refusing("deserializeCudaEngine", otherwise=None)
    def _deserialize_stream(self, reader: rtx.IStreamReaderV2) -> ICudaEngine | None:
        try:
            data = b"".join(_pieces(reader))
        except Exception as error:  # it is the reader that went wrong, whatever it raised
            raise Refused("stream_reader_failed", reason=first_line(error)) from None
        return self._deserialize(memoryview(data))

    @refusing("deserializeCudaEngine", otherwise=None)
    def _deserialize(self, data: memoryview) -> ICudaEngine | None:
        self._log.info(f"Loaded engine size: {len(data) >> 20} MiB")
        try:
            parts = plan.split(data)
        except plan.PlanError as error:
            raise Refused(error.key, **error.facts) from None
        device = "cuda" if session.has_cuda() and torch.cuda.is_available() else "cpu"
        try:
            output_shapes = OutputShapes(parts.header, bytes(parts.shapes))
            sessions = session.Sessions(bytes(parts.onnx), device)
            sessions.check(parts.header.inputs, parts.header.outputs)
        except Exception as error:  # ONNX Runtime and protobuf raise many types of their own
            reason = f"ONNX Runtime cannot load its graph: {first_line(error)}"
            raise Refused("plan_damaged", reason=reason) from None
        engine = model.Engine(parts.header, output_shapes, sessions, PlanCopy(data))
        return make_engine(self, engine, self._log.copy())

    def get_engine_validity(self, buffer: object) -> tuple[rtx.EngineValidity, int]:
        """Whether a plan can run here, and a bit mask of ``EngineInvalidityDiagnostics``. TensorRT-RTX only.

        The reference part is at the end of a plan, so all of it is needed, not only ``engine_header_size`` bytes.

        Raises:
            TypeError: not a buffer.
        """
        try:
            plan.split(memoryview(buffer).cast("B"))
        except TypeError:
            raise type_error(self, "get_engine_validity", (buffer,)) from None
        except plan.PlanError:
            return rtx.EngineValidity.INVALID, int(rtx.EngineInvalidityDiagnostics.MALFORMED_ENGINE)
        return rtx.EngineValidity.VALID, 0

    def get_plugin_registry(self) -> rtx.IPluginRegistry:
        """TensorRT-RTX's own registry."""
        return rtx.get_plugin_registry()

    def __repr__(self) -> str:
        return "<reference Runtime (ONNX Runtime, not TensorRT)>"


def _pieces(reader: rtx.IStreamReaderV2) -> Iterator[bytes]:
    """What a stream reader gives, up to its end."""
    while piece := reader.read(_CHUNK, 0):
        yield bytes(piece)
