"""Members of ``ICudaEngine`` with little behind them here: they give TensorRT's neutral answer."""

from __future__ import annotations

import tensorrt_rtx as rtx

from .bindings import Fixed, checked, setter_value
from .builder import HostMemory
from .refusal import Refused, refusing
from .runtime_config import EngineInspector, IRuntimeConfig, ISerializationConfig

# ONNX Runtime owns the activation memory. The size only has to be a plausible, positive one that
# USER_MANAGED contexts can allocate: one unit of TensorRT's alignment.
DEVICE_MEMORY_SIZE = 512

_FORMAT_NAMES = {"FLOAT": "FP32", "HALF": "FP16"}


class EngineExtras:
    """Formats, sizes, serialisation, weight streaming, and what the builder decided."""

    # ---- what the plan says ----------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The network's name."""
        return self._header.name

    @property
    def num_layers(self) -> int:
        """Layers of the network before fusion; on a GPU those after it."""
        return self._header.num_layers

    num_aux_streams = Fixed(0, "Streams used besides the main one: none. Contract: 55.")
    refittable = Fixed(False, "Whether weights can be exchanged: no.")
    engine_capability = Fixed(rtx.EngineCapability.STANDARD, "STANDARD.")
    tactic_sources = Fixed(0, "A bit mask of the libraries that kernels came from: none of NVIDIA's.")
    profiling_verbosity = Fixed(rtx.ProfilingVerbosity.LAYER_NAMES_ONLY, "LAYER_NAMES_ONLY.")
    hardware_compatibility_level = Fixed(rtx.HardwareCompatibilityLevel.NONE, "NONE.")

    @checked
    @refusing("getEngineStat", otherwise=-1)
    def get_engine_stat(self, stat: rtx.EngineStat = rtx.EngineStat.TOTAL_WEIGHTS_SIZE) -> int:
        """Bytes of all weights; -1 for STRIPPED_WEIGHTS_SIZE, because the engine was not built without them."""
        return self._output_shapes.weight_bytes if stat == rtx.EngineStat.TOTAL_WEIGHTS_SIZE else -1

    # ---- formats: everything is row-major ---------------------------------------------------------------------

    def _check_format_query(self, name: str, profile_index: int | None, method: str) -> None:
        """A query without a profile answers for profile 0, and warns if there are more. Contract: 11."""
        self._spec(name)
        count = self.num_optimization_profiles
        if profile_index is None and count > 1:
            self._log.warning("profile_0_only", count=count, method=method)

    @checked
    @refusing("getTensorFormat", otherwise=rtx.TensorFormat.LINEAR)
    def get_tensor_format(self, name: str, profile_index: int | None = None) -> rtx.TensorFormat:
        """LINEAR: row-major."""
        self._check_format_query(name, profile_index, "getTensorFormat")
        return rtx.TensorFormat.LINEAR

    @checked
    @refusing("getTensorFormatDesc", otherwise="")
    def get_tensor_format_desc(self, name: str, profile_index: int | None = None) -> str:
        """The format in words; ``''`` for an unknown name."""
        self._check_format_query(name, profile_index, "getTensorFormatDesc")
        dtype = self._specs[name].dtype
        return f"Row major linear {_FORMAT_NAMES.get(dtype, dtype)} format (kLINEAR)"

    @checked
    @refusing("getTensorBytesPerComponent", otherwise=-1)
    def get_tensor_bytes_per_component(self, name: str, profile_index: int | None = None) -> int:
        """-1 for tensors that are not vectorised: all of ours."""
        self._check_format_query(name, profile_index, "getTensorBytesPerComponent")
        return -1

    @checked
    @refusing("getTensorComponentsPerElement", otherwise=-1)
    def get_tensor_components_per_element(self, name: str, profile_index: int | None = None) -> int:
        """-1 for tensors that are not vectorised: all of ours."""
        self._check_format_query(name, profile_index, "getTensorComponentsPerElement")
        return -1

    @checked
    @refusing("getTensorVectorizedDim", otherwise=-1)
    def get_tensor_vectorized_dim(self, name: str, profile_index: int | None = None) -> int:
        """-1 for tensors that are not vectorised: all of ours."""
        self._check_format_query(name, profile_index, "getTensorVectorizedDim")
        return -1

    @checked
    @refusing("isDebugTensor")
    def is_debug_tensor(self, name: str) -> bool:
        """False: debug tensors need TensorRT."""
        self._spec(name)
        return False

    @checked
    @refusing("getAliasedInputTensor", otherwise=None)
    def get_aliased_input_tensor(self, name: str) -> str | None:
        """None: no output of this lane is written into an input."""
        self._spec(name)
        return None

    # ---- device memory -----------------------------------------------------------------------------------------

    @property
    def device_memory_size_v2(self) -> int:
        """Bytes of activation memory of a context, over all profiles. A constant: ONNX Runtime owns its memory."""
        return DEVICE_MEMORY_SIZE

    @checked
    @refusing("getDeviceMemorySizeForProfileV2", otherwise=0)
    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        """The same for one profile; 0 and an ERROR if there is no such profile."""
        if not 0 <= profile_index < self.num_optimization_profiles:
            raise Refused("profile_out_of_range", profile=profile_index, count=self.num_optimization_profiles)
        return DEVICE_MEMORY_SIZE

    # ---- weight streaming: not built with it ---------------------------------------------------------------------

    streamable_weights_size = Fixed(
        0, "Bytes of weights that could be streamed: 0 without BuilderFlag.WEIGHT_STREAMING."
    )
    weight_streaming_scratch_memory_size = Fixed(0, "Bytes needed for streaming weights: 0.")

    @property
    def weight_streaming_budget_v2(self) -> int:
        """Bytes of weights kept on the GPU: 0. Setting it is refused: it needs BuilderFlag.WEIGHT_STREAMING."""
        return 0

    @weight_streaming_budget_v2.setter
    def weight_streaming_budget_v2(self, budget: int) -> None:
        setter_value(self, "Handle", budget)
        self._log.error("no_weight_streaming", method="setWeightStreamingBudgetV2")

    @refusing("getWeightStreamingAutomaticBudget", otherwise=0)
    def get_weight_streaming_automatic_budget(self) -> int:
        """0 and an ERROR: not built with BuilderFlag.WEIGHT_STREAMING."""
        raise Refused("no_weight_streaming")

    # ---- objects made from the engine ------------------------------------------------------------------------------

    @refusing("serialize", otherwise=None)
    def serialize(self) -> HostMemory | None:
        """The plan that the engine was made from, byte for byte; None if its copy on disk was lost."""
        try:
            return HostMemory(self._plan.read())
        except OSError as error:
            raise Refused("plan_copy_lost", reason=error) from None

    def create_serialization_config(self) -> ISerializationConfig:
        """Flags for ``serialize_with_config``."""
        return ISerializationConfig._make()

    def serialize_with_config(self, config: ISerializationConfig) -> HostMemory | None:
        """As ``serialize``: a plan of this lane has nothing that a flag could leave out."""
        return self.serialize()

    def create_runtime_config(self) -> IRuntimeConfig:
        """Settings for ``create_execution_context(runtime_config)``."""
        return IRuntimeConfig._make()

    def create_engine_inspector(self) -> EngineInspector:
        """Names the nodes of the graph."""
        return EngineInspector._make(self)
