"""Members with nothing behind them in this lane, one a row: signature, neutral answer, what is logged.

Each accepts what TensorRT accepts and refuses what it refuses; the answer is the one TensorRT has for "there is none".
"""

from __future__ import annotations

import inspect

import tensorrt_rtx as rtx

from .arguments import checked
from .facade import Fixed, Setting, refusing
from .refusal import Refused

# ONNX Runtime owns the activation memory. The size only has to be a plausible, positive one that
# USER_MANAGED contexts can allocate: one unit of TensorRT's alignment.
DEVICE_MEMORY_SIZE = 512


class Neutral:
    """A method that always answers the same.

    Parameters:
        parameters: annotated as ``arguments.py`` has it; a default is None.
        answer: what it returns.
        doc: why, in a sentence.
        error: the row of ``errors.toml`` that each call logs.
        ask: the method of the stand-in that is called first, with the arguments and the C++ name, and may refuse.
    """

    def __init__(self, parameters: str, answer: object, doc: str, error: str = "", ask: str = "") -> None:
        self._parameters = [_parameter(text) for text in ("self", *filter(None, parameters.split(", ")))]
        self._answer, self._doc, self._error, self._ask = answer, doc, error, ask

    def __set_name__(self, owner: type, name: str) -> None:
        """Become an ordinary method of the class."""
        row = self
        first, *rest = name.split("_")
        cpp_name = first + "".join(word.capitalize() for word in rest)

        def method(self, *arguments: object) -> object:
            if row._ask:
                getattr(self, row._ask)(*arguments, cpp_name)
            if row._error:
                raise Refused(row._error, tensor=next(iter(arguments), ""))
            return row._answer

        method.__name__, method.__doc__ = name, row._doc
        method.__signature__ = inspect.Signature(row._parameters)
        setattr(owner, name, checked(refusing(cpp_name, otherwise=row._answer)(method)))


def _parameter(text: str) -> inspect.Parameter:
    name, _, annotation = text.partition(": ")
    annotation, has_default, _ = annotation.partition(" = ")
    default = None if has_default else inspect.Parameter.empty
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation or inspect.Parameter.empty
    )


_FORMAT_QUERY = "name: str, profile_index: int | None = None"


class NeutralRuntime:
    """Rows of ``Runtime``."""

    num_DLA_cores = Fixed(0, "No DLA here.")
    engine_header_size = Fixed(64, "Bytes that ``get_engine_validity`` of TensorRT-RTX needs.")
    temporary_directory = Setting("CString", None, "Where TensorRT may write temporary files; accepted.")
    tempfile_control_flags = Setting("int", 3, "A bit mask of ``TempfileControlFlag``; accepted.")
    engine_host_code_allowed = Setting("bool", False, "Plans of this lane hold no code; accepted.")
    defer_weights_loading = Setting("bool", False, "TensorRT-RTX only; accepted.")
    dla_workspace_allocation_strategy = Setting(
        "rtx.DLAWorkspaceAllocationStrategy", rtx.DLAWorkspaceAllocationStrategy.DEFAULT, "Accepted."
    )
    load_runtime = Neutral("path: str", None, "There is no other runtime to load.", error="load_runtime")


class NeutralEngine:
    """Rows of ``ICudaEngine``. Every tensor is row-major, and nothing can be streamed, refitted or debugged."""

    num_aux_streams = Fixed(0, "Streams used besides the main one: none. Contract: 55.")
    refittable = Fixed(False, "Whether weights can be exchanged: no.")
    engine_capability = Fixed(rtx.EngineCapability.STANDARD, "STANDARD.")
    tactic_sources = Fixed(0, "A bit mask of the libraries that kernels came from: none of NVIDIA's.")
    profiling_verbosity = Fixed(rtx.ProfilingVerbosity.LAYER_NAMES_ONLY, "LAYER_NAMES_ONLY.")
    hardware_compatibility_level = Fixed(rtx.HardwareCompatibilityLevel.NONE, "NONE.")
    device_memory_size_v2 = Fixed(DEVICE_MEMORY_SIZE, "Bytes of a context. A constant: ONNX Runtime owns its memory.")
    streamable_weights_size = Fixed(0, "Bytes of weights that could be streamed: none.")
    weight_streaming_scratch_memory_size = Fixed(0, "Bytes needed for streaming weights: 0.")
    get_tensor_format = Neutral(_FORMAT_QUERY, rtx.TensorFormat.LINEAR, "LINEAR: row-major.", ask="_format_query")
    get_tensor_bytes_per_component = Neutral(_FORMAT_QUERY, -1, "-1: not vectorised.", ask="_format_query")
    get_tensor_components_per_element = Neutral(_FORMAT_QUERY, -1, "-1: not vectorised.", ask="_format_query")
    get_tensor_vectorized_dim = Neutral(_FORMAT_QUERY, -1, "-1: not vectorised.", ask="_format_query")
    is_debug_tensor = Neutral("name: str", False, "False: debug tensors need TensorRT.", ask="_spec")
    get_aliased_input_tensor = Neutral("name: str", None, "None: no output is written into an input.", ask="_spec")
    get_weight_streaming_automatic_budget = Neutral("", 0, "0: nothing to stream.", error="no_weight_streaming")


class NeutralContext:
    """Rows of ``IExecutionContext``."""

    name = Setting("str", "", "Any text, default empty: tools show it.")
    debug_sync = Setting("bool", False, "Accepted; ``execute_v2`` waits in any case.")
    persistent_cache_limit = Setting("Handle", 0, "Bytes of L2 cache on a GPU; accepted.")
    temporary_allocator = Setting("rtx.IGpuAllocator | None", None, "Accepted; ONNX Runtime has its own.")
    unfused_tensors_debug_state = Setting("bool", False, "Accepted; there are no debug tensors here.")
    set_tensor_debug_state = Neutral(
        "name: str, flag: bool", False, "False: no tensor was marked for debugging.", error="not_a_debug_tensor"
    )
    set_all_tensors_debug_state = Neutral("flag: bool", True, "True: all none of them.")
    get_debug_state = Neutral("name: str", False, "False: no tensor was marked for debugging.")
    set_aux_streams = Neutral("aux_streams: Sequence[Handle]", None, "Not used: there are none. Contract: 55.")


class NeutralRuntimeConfig:
    """Rows of ``IRuntimeConfig``: TensorRT-RTX only."""

    cuda_graph_strategy = Setting("rtx.CudaGraphStrategy", rtx.CudaGraphStrategy.DISABLED, "Accepted.")
    dynamic_shapes_kernel_specialization_strategy = Setting(
        "rtx.DynamicShapesKernelSpecializationStrategy",
        rtx.DynamicShapesKernelSpecializationStrategy.LAZY,
        "Accepted.",
    )
