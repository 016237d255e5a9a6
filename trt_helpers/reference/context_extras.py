"""Members of ``IExecutionContext`` with little behind them here: ONNX Runtime has no such thing, or its own.

They accept what TensorRT accepts, refuse what it refuses, and give its neutral answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorrt_rtx as rtx

from .bindings import Handle, Setting, WriteOnly, checked, setter_value
from .refusal import Refused, alone, refusing

if TYPE_CHECKING:
    from .runtime_config import IRuntimeConfig

DEVICE_MEMORY_ALIGNMENT = 512


class ContextExtras:
    """Names, profiling, debug tensors, device memory, auxiliary streams."""

    name = Setting("str", "", "Any text, default empty: tools show it.")
    debug_sync = Setting("bool", False, "Accepted; ``execute_v2`` waits in any case.")
    persistent_cache_limit = Setting("Handle", 0, "Bytes of L2 cache on a GPU; accepted.")
    temporary_allocator = Setting("rtx.IGpuAllocator | None", None, "Accepted; ONNX Runtime has its own.")
    unfused_tensors_debug_state = Setting("bool", False, "Accepted; there are no debug tensors here.")

    # ---- profiling -----------------------------------------------------------------------------------------

    profiler = Setting("rtx.IProfiler | None", None, "Gets the time of each execution. See ``report_to_profiler``.")
    enqueue_emits_profile = Setting(
        "bool", True, "True: with a profiler every execution waits for its end and reports. Contract: 65."
    )

    def report_to_profiler(self) -> bool:
        """Report the last execution, after its stream was synchronised, if ``enqueue_emits_profile`` is False.

        ONNX Runtime does not give a time for each layer, so there is one line for the whole graph.

        Returns:
            False if there is no profiler, or nothing has run.
        """
        if self.profiler is None or self._last_run_ms is None:
            return False
        try:
            self.profiler.report_layer_time("whole graph (ONNX Runtime, not TensorRT)", self._last_run_ms())
        except Exception as error:  # it has nowhere to go: TensorRT's methods do not raise
            print(f"[ERROR] Exception caught in report_layer_time(): {error}")
        return True

    @property
    def nvtx_verbosity(self) -> rtx.ProfilingVerbosity:
        """Marks for NVIDIA's profilers; no more of them than the engine was built with."""
        return self.__dict__.get("_nvtx_verbosity", self._engine.profiling_verbosity)

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

    # ---- debug tensors ---------------------------------------------------------------------------------------

    @checked
    def set_debug_listener(self, listener: rtx.IDebugListener | None) -> bool:
        """Remembered, and never called: an engine of this lane has no debug tensors."""
        self._debug_listener = listener
        return True

    def get_debug_listener(self) -> rtx.IDebugListener | None:
        """The listener that was set, or None."""
        return self.__dict__.get("_debug_listener")

    @checked
    @refusing("setTensorDebugState")
    def set_tensor_debug_state(self, name: str, flag: bool) -> bool:
        """False: no tensor of this lane was marked as a debug tensor."""
        raise Refused("not_a_debug_tensor", tensor=name)

    @checked
    def set_all_tensors_debug_state(self, flag: bool) -> bool:
        """True: all none of them."""
        return True

    @checked
    def get_debug_state(self, name: str) -> bool:
        """False: no tensor of this lane was marked as a debug tensor."""
        return False

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
        needed = self._engine.get_device_memory_size_for_profile_v2(self._state.profile)
        if memory and size < needed:
            raise Refused("device_memory_too_small", size=size, needed=needed)
        self._state.device_memory = memory

    def _set_device_memory(self, memory: int) -> None:
        self.set_device_memory(memory, self._engine.device_memory_size_v2)

    device_memory = WriteOnly("Handle", _set_device_memory, "The older form of ``set_device_memory``. Write-only.")

    def update_device_memory_size_for_shapes(self) -> int:
        """Bytes needed for the profile and the shapes now set; 0 while one is missing."""
        if self._unset():
            return 0
        return self._engine.get_device_memory_size_for_profile_v2(self._state.profile)

    # ---- the rest ------------------------------------------------------------------------------------------------

    @checked
    def set_aux_streams(self, aux_streams: Sequence[Handle]) -> None:
        """Remembered and not used: ``num_aux_streams`` is 0, and extra streams are ignored. Contract: 55."""
        self._state.aux_streams = tuple(aux_streams)

    def get_runtime_config(self) -> IRuntimeConfig | None:
        """The config that the context was made with; None if it was made with a strategy."""
        return self._runtime_config

    @checked
    def is_stream_capturable(self, stream: Handle) -> bool:
        """Whether an execution can become part of a CUDA graph. TensorRT-RTX only."""
        return self._engine._device.name == "cuda"
