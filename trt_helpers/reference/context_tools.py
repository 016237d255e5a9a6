"""Members of ``IExecutionContext`` for profilers, debuggers and those who bring their own device memory."""

from __future__ import annotations

import tensorrt_rtx as rtx

from .arguments import Handle, checked, setter_value
from .facade import Facade, Setting, WriteOnly, alone, refusing
from .neutral import DEVICE_MEMORY_SIZE
from .refusal import Refused

DEVICE_MEMORY_ALIGNMENT = 512


class ContextTools(Facade):
    """Profiling, verbosity, the debug listener and device memory of a context."""

    profiler = Setting("rtx.IProfiler | None", None, "Gets the time of each execution. See ``report_to_profiler``.")
    enqueue_emits_profile = Setting("bool", True, "With a profiler every execution waits and reports. Contract: 65.")

    def report_to_profiler(self) -> bool:
        """Report the last execution, after its stream was synchronised, if ``enqueue_emits_profile`` is False.

        ONNX Runtime does not give a time for each layer, so there is one line for the whole graph.

        Returns:
            False if there is no profiler, or nothing has run.
        """
        if self.profiler is None or self._model.last_run_ms is None:
            return False
        try:
            self.profiler.report_layer_time("whole graph (ONNX Runtime, not TensorRT)", self._model.last_run_ms())
        except Exception as error:  # it has nowhere to go: TensorRT's methods do not raise
            print(f"[ERROR] Exception caught in report_layer_time(): {error}")
        return True

    @property
    def nvtx_verbosity(self) -> rtx.ProfilingVerbosity:
        """Marks for NVIDIA's profilers; no more of them than the engine was built with."""
        return vars(self).get("_nvtx_verbosity", self._engine.profiling_verbosity)

    @nvtx_verbosity.setter
    def nvtx_verbosity(self, value: rtx.ProfilingVerbosity) -> None:
        self._set_nvtx_verbosity(setter_value(self, "rtx.ProfilingVerbosity", value))

    @refusing("setNvtxVerbosity")
    def _set_nvtx_verbosity(self, value: rtx.ProfilingVerbosity) -> None:
        # NONE is 1 and the least, LAYER_NAMES_ONLY 0, DETAILED 2: the enum is not in the order of its meaning.
        order = [rtx.ProfilingVerbosity.NONE, rtx.ProfilingVerbosity.LAYER_NAMES_ONLY, rtx.ProfilingVerbosity.DETAILED]
        if order.index(value) > order.index(self._engine.profiling_verbosity):
            raise Refused("nvtx_verbosity", asked=value.name, engine=self._engine.profiling_verbosity.name)
        self._nvtx_verbosity = value

    @checked
    def set_debug_listener(self, listener: rtx.IDebugListener | None) -> bool:
        """Remembered, and never called: an engine of this lane has no debug tensors."""
        self._debug_listener = listener
        return True

    def get_debug_listener(self) -> rtx.IDebugListener | None:
        """The listener that was set, or None."""
        return vars(self).get("_debug_listener")

    # ---- device memory: ONNX Runtime has its own, so only the rules hold here ----------------------------------

    @checked
    @refusing("setDeviceMemory", otherwise=None)
    @alone
    def set_device_memory(self, memory: Handle, size: Handle) -> None:
        """Activation memory for a USER_MANAGED context: an address, a multiple of 512, and its bytes.

        Too small a size is refused here; TensorRT's documentation makes it the caller's duty. Contract: 72 to 76.
        """
        if memory % DEVICE_MEMORY_ALIGNMENT:
            raise Refused("device_memory_misaligned")
        if memory and size < DEVICE_MEMORY_SIZE:
            raise Refused("device_memory_too_small", size=size, needed=DEVICE_MEMORY_SIZE)
        self._model.device_memory = memory

    def _set_device_memory(self, memory: int) -> None:
        self.set_device_memory(memory, DEVICE_MEMORY_SIZE)

    device_memory = WriteOnly("Handle", _set_device_memory, "The older form of ``set_device_memory``. Write-only.")

    def update_device_memory_size_for_shapes(self) -> int:
        """Bytes needed for the profile and the shapes now set; 0 while one is missing."""
        return 0 if self._model.unset() else DEVICE_MEMORY_SIZE

    def get_runtime_config(self) -> rtx.IRuntimeConfig | None:
        """The config that the context was made with; None if it was made with a strategy."""
        return self._runtime_config

    @checked
    def is_stream_capturable(self, stream: Handle) -> bool:
        """Whether an execution can become part of a CUDA graph. TensorRT-RTX only."""
        return self._model.engine.device.name == "cuda"
