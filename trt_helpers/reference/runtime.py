"""``Runtime``: from the bytes of a plan to an engine, or to None and one line in the log."""

from __future__ import annotations

import tensorrt_rtx as rtx
import torch

from ..errors import log_line
from . import plan, session
from .bindings import NotConstructible
from .engine import ICudaEngine

Severity = rtx.ILogger.Severity


class Log:
    """Where an object's errors go: to its error recorder if it has one, else to the logger. Never to both."""

    def __init__(self, logger: rtx.ILogger, recorder: rtx.IErrorRecorder | None = None) -> None:
        self.logger, self.recorder = logger, recorder

    def copy(self) -> Log:
        """The log of an object made by this one: it starts with the same recorder."""
        return Log(self.logger, self.recorder)

    def error(self, key: str, **facts: object) -> None:
        """Report one refusal in TensorRT's words."""
        line = log_line(key, **facts)
        if self.recorder is None:
            self.logger.log(Severity.ERROR, line)
        else:
            code = int(line.split("Error Code ", 1)[1].split(":", 1)[0]) if "Error Code " in line else 1
            self.recorder.report_error(rtx.ErrorCodeTRT(code), line)

    def warning(self, key: str, **facts: object) -> None:
        """Log one warning in TensorRT's words."""
        self.logger.log(Severity.WARNING, log_line(key, **facts))

    def info(self, text: str) -> None:
        """Log one informational line."""
        self.logger.log(Severity.INFO, text)


class Runtime(NotConstructible):
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
        self._max_threads = 1
        self.DLA_core = -1
        self.temporary_directory: str | None = None
        self.tempfile_control_flags = 3
        self.engine_host_code_allowed = False

    @property
    def logger(self) -> rtx.ILogger:
        """The very object passed in."""
        return self._log.logger

    @property
    def error_recorder(self) -> rtx.IErrorRecorder | None:
        """Gets the errors instead of the logger; handed on to engines made later."""
        return self._log.recorder

    @error_recorder.setter
    def error_recorder(self, recorder: rtx.IErrorRecorder | None) -> None:
        self._log.recorder = recorder

    @property
    def max_threads(self) -> int:
        """At least 1. A refused value raises nothing: it is logged, and the old one stays."""
        return self._max_threads

    @max_threads.setter
    def max_threads(self, value: int) -> None:
        if value < 1:
            self._log.error("max_threads")
        else:
            self._max_threads = value

    @property
    def num_DLA_cores(self) -> int:
        """No DLA here."""
        return 0

    def deserialize_cuda_engine(self, serialized_engine: object) -> ICudaEngine | None:
        """The engine in a plan, or None with one ERROR in the log. Never raises on bad content.

        Parameters:
            serialized_engine: any buffer (bytes, bytearray, memoryview, mmap). It may be freed afterwards.

        Raises:
            TypeError: not a buffer at all.
        """
        try:
            data = memoryview(serialized_engine).cast("B")
        except TypeError:
            raise _not_a_buffer(self, serialized_engine) from None
        self._log.info(f"Loaded engine size: {len(data) >> 20} MiB")
        try:
            parts = plan.split(data)
        except plan.PlanError as error:
            self._log.error(error.key, **error.facts)
            return None
        return self._make_engine(parts)

    def _make_engine(self, parts: plan.PlanParts) -> ICudaEngine | None:
        device = "cuda" if session.has_cuda() and torch.cuda.is_available() else "cpu"
        try:
            sessions = session.Sessions(bytes(parts.onnx), device)
        except Exception as error:  # ONNX Runtime raises many types of its own
            self._log.error("plan_damaged", reason=f"ONNX Runtime cannot load its graph: {error}")
            return None
        return ICudaEngine._make(self, parts.header, bytes(parts.shapes), sessions)

    def __repr__(self) -> str:
        return "<reference Runtime (ONNX Runtime, not TensorRT)>"


def _not_a_buffer(runtime: Runtime, given: object) -> TypeError:
    doc = rtx.Runtime.deserialize_cuda_engine.__doc__.splitlines()
    signatures = [line.split("deserialize_cuda_engine", 1)[1] for line in doc if line[:2] in ("1.", "2.")]
    supported = "\n".join(f"    {i}. {text}" for i, text in enumerate(signatures, 1))
    return TypeError(
        "deserialize_cuda_engine(): incompatible function arguments. The following argument types are supported:\n"
        f"{supported}\n\nInvoked with: {runtime!r}, {given!r}"
    )
