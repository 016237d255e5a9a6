"""``ICudaEngine``: what a plan says about itself. Nothing in it changes after it was made."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import onnx
import tensorrt_rtx as rtx

from . import graph
from .bindings import InvalidDims, NotConstructible, checked
from .context import IExecutionContext
from .plan import PlanHeader, TensorSpec
from .session import Sessions

if TYPE_CHECKING:
    from .runtime import Runtime

Shape = tuple[int, ...]
Strategy = rtx.ExecutionContextAllocationStrategy

# ONNX Runtime owns the activation memory. The size only has to be a plausible, positive one that
# USER_MANAGED contexts can allocate: one unit of TensorRT's alignment.
DEVICE_MEMORY_SIZE = 512


class ICudaEngine(NotConstructible):
    """Stand-in for ``tensorrt.ICudaEngine``, made by ``Runtime.deserialize_cuda_engine``.

    Getters never raise for an unknown name: they log an ERROR and return a neutral value, as TensorRT's do.
    ``num_layers`` counts the layers of the network before fusion; on a GPU it counts those after.
    """

    @classmethod
    def _make(cls, runtime: Runtime, header: PlanHeader, shapes: bytes, sessions: Sessions) -> ICudaEngine:
        engine = object.__new__(cls)
        engine._runtime = runtime  # keeps the runtime, and through it the logger, alive
        engine._log = runtime._log.copy()
        engine._header = header
        engine._sessions = sessions
        engine._specs = {spec.name: spec for spec in (*header.inputs, *header.outputs)}
        engine._inputs = {spec.name: spec for spec in header.inputs}
        engine._outputs = {spec.name: spec for spec in header.outputs}
        engine._names = list(engine._specs)
        engine._shape_graph = onnx.load_from_string(shapes)
        engine._sources = {
            name: graph.inputs_reaching(engine._shape_graph, list(engine._inputs), name) for name in engine._outputs
        }
        engine._inferred = {}
        return engine

    # ---- names -------------------------------------------------------------------------------------------

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs, whatever the number of profiles."""
        return len(self._names)

    @checked
    def get_tensor_name(self, index: int) -> str | None:
        """The name of I/O tensor ``index``: inputs first, in network order. Out of range: None and an ERROR."""
        if 0 <= index < len(self._names):
            return self._names[index]
        return self._log.error("tensor_index_out_of_range", index=index, count=len(self._names))

    def __getitem__(self, index: int) -> str | None:
        """``engine[i]``: the i-th name; negative counts from the end. Past the end: IndexError."""
        if not isinstance(index, int):
            raise TypeError(f"__getitem__(): incompatible function arguments. Invoked with: {self!r}, {index!r}")
        index += len(self._names) if index < 0 else 0
        if index >= len(self._names):
            raise IndexError("Out of bounds")
        return self.get_tensor_name(index)

    def _spec(self, name: str, method: str) -> TensorSpec | None:
        spec = self._specs.get(name)
        if spec is None:
            self._log.error("unknown_tensor", interface="ICudaEngine", method=method, tensor=name)
        return spec

    # ---- one tensor --------------------------------------------------------------------------------------

    @checked
    def get_tensor_mode(self, name: str) -> rtx.TensorIOMode:
        """INPUT or OUTPUT; NONE for an unknown name."""
        if self._spec(name, "getTensorIOMode") is None:
            return rtx.TensorIOMode.NONE
        return rtx.TensorIOMode.INPUT if name in self._inputs else rtx.TensorIOMode.OUTPUT

    @checked
    def get_tensor_dtype(self, name: str) -> rtx.DataType:
        """The ``DataType``; FLOAT for an unknown name."""
        spec = self._spec(name, "getTensorDataType")
        return rtx.DataType.FLOAT if spec is None else getattr(rtx.DataType, spec.dtype)

    @checked
    def get_tensor_shape(self, name: str) -> rtx.Dims:
        """The network's shape, -1 for every dimension known only at run time. It never changes."""
        spec = self._spec(name, "getTensorShape")
        return InvalidDims() if spec is None else rtx.Dims(spec.shape)

    @checked
    def get_tensor_location(self, name: str) -> rtx.TensorLocation:
        """HOST for shape inputs, else DEVICE."""
        spec = self._spec(name, "getTensorLocation")
        is_host = spec is not None and spec.is_shape_tensor
        return rtx.TensorLocation.HOST if is_host else rtx.TensorLocation.DEVICE

    @checked
    def is_shape_inference_io(self, name: str) -> bool:
        """Whether ``infer_shapes`` reads (input) or writes (output) its value."""
        spec = self._spec(name, "isShapeInferenceIO")
        return spec is not None and spec.is_shape_tensor

    @checked
    def get_tensor_format(self, name: str, profile_index: int = 0) -> rtx.TensorFormat:
        """LINEAR: row-major."""
        self._spec(name, "getTensorFormat")
        return rtx.TensorFormat.LINEAR

    @checked
    def get_tensor_format_desc(self, name: str, profile_index: int = 0) -> str:
        """The format in words; ``''`` for an unknown name."""
        spec = self._spec(name, "getTensorFormatDesc")
        return "" if spec is None else f"Row major linear {_FORMAT_NAMES.get(spec.dtype, spec.dtype)} format (kLINEAR)"

    @checked
    def get_tensor_bytes_per_component(self, name: str, profile_index: int = 0) -> int:
        """-1 for tensors that are not vectorised: all of ours."""
        self._spec(name, "getTensorBytesPerComponent")
        return -1

    @checked
    def get_tensor_components_per_element(self, name: str, profile_index: int = 0) -> int:
        """-1 for tensors that are not vectorised: all of ours."""
        self._spec(name, "getTensorComponentsPerElement")
        return -1

    @checked
    def get_tensor_vectorized_dim(self, name: str, profile_index: int = 0) -> int:
        """-1 for tensors that are not vectorised: all of ours."""
        self._spec(name, "getTensorVectorizedDim")
        return -1

    # ---- profiles ----------------------------------------------------------------------------------------

    @property
    def num_optimization_profiles(self) -> int:
        """At least 1, even for an engine without a dynamic dimension."""
        return len(self._header.profiles)

    @checked
    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[rtx.Dims]:
        """``[min, opt, max]`` of an input; three invalid ``Dims`` for an output, an unknown name or profile.

        For an input without dynamic dimensions all three are its shape: TensorRT's documentation only says
        "input tensor", so this is our reading of it.
        """
        spec = self._spec(name, "getProfileShape")
        if spec is None or name not in self._inputs or not 0 <= profile_index < len(self._header.profiles):
            return [InvalidDims(), InvalidDims(), InvalidDims()]
        return [rtx.Dims(shape) for shape in self._profile(name, profile_index)]

    def _profile(self, name: str, index: int) -> list[Shape]:
        return self._header.profiles[index].get(name) or [self._specs[name].shape] * 3

    @checked
    def get_tensor_profile_values(self, name: int, profile_index: str) -> list[list[int]]:
        """Pass ``(profile_index, tensor_name)`` by position: NVIDIA's bindings have the two names swapped.

        Raises:
            RuntimeError: the tensor is not a shape input.
        """
        index, tensor = name, profile_index
        if 0 <= index < len(self._header.profiles) and tensor in self._header.profile_values[index]:
            return [list(values) for values in self._header.profile_values[index][tensor]]
        raise RuntimeError("Binding index does not correspond to an input shape tensor.")

    # ---- contexts ----------------------------------------------------------------------------------------

    def create_execution_context(self, strategy: Strategy | None = None, **config: object) -> IExecutionContext:
        """A new context on profile 0. It keeps the engine alive.

        Parameters:
            strategy: ``ExecutionContextAllocationStrategy``, default STATIC. (``runtime_config`` needs TensorRT.)
        """
        if config or not isinstance(strategy, Strategy | None):
            raise AttributeError("runtime_config is not in the reference lane: it needs TensorRT on a GPU")
        return IExecutionContext._make(self, Strategy.STATIC if strategy is None else strategy)

    @property
    def device_memory_size_v2(self) -> int:
        """Bytes of activation memory of a context, over all profiles. A constant: ONNX Runtime owns its memory."""
        return DEVICE_MEMORY_SIZE

    @checked
    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        """The same for one profile; 0 if there is no such profile."""
        return DEVICE_MEMORY_SIZE if 0 <= profile_index < len(self._header.profiles) else 0

    # ---- the rest ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The network's name."""
        return self._header.name

    @property
    def num_layers(self) -> int:
        """Layers of the network before fusion."""
        return self._header.num_layers

    num_aux_streams = 0
    refittable = False
    engine_capability = rtx.EngineCapability.STANDARD
    profiling_verbosity = rtx.ProfilingVerbosity.LAYER_NAMES_ONLY
    hardware_compatibility_level = rtx.HardwareCompatibilityLevel.NONE

    @checked
    def is_debug_tensor(self, name: str) -> bool:
        """False: debug tensors need TensorRT."""
        self._spec(name, "isDebugTensor")
        return False

    @property
    def error_recorder(self) -> rtx.IErrorRecorder | None:
        """Gets the errors instead of the logger; copied to contexts made after it is set."""
        return self._log.recorder

    @error_recorder.setter
    def error_recorder(self, recorder: rtx.IErrorRecorder | None) -> None:
        self._log.recorder = recorder

    def __repr__(self) -> str:
        return f"<reference ICudaEngine '{self.name}' (ONNX Runtime, not TensorRT)>"

    # ---- shape inference, shared by all contexts -----------------------------------------------------------

    def _output_shapes(self, inputs: dict[str, Shape]) -> dict[str, Shape]:
        """Output shapes for these input shapes (-1: not known), remembered for each combination.

        Raises:
            graph.ShapesDisagree: they contradict each other.
        """
        key = tuple(inputs.values())
        if key not in self._inferred:
            if len(self._inferred) >= 1024:
                self._inferred.clear()  # a service with ever new shapes must not grow for ever
            found = graph.infer(self._shape_graph, inputs)
            sizes = self._symbol_sizes(inputs)
            self._inferred[key] = {name: _settle(spec, found[name], sizes) for name, spec in self._outputs.items()}
        return self._inferred[key]

    def _symbol_sizes(self, inputs: dict[str, Shape]) -> dict[str, int]:
        """The sizes of the run-time dimensions, under the names that formulas use."""
        sizes = {}
        for name, shape in inputs.items():
            for axis, (size, dim_name) in enumerate(zip(shape, self._inputs[name].dim_names, strict=True)):
                if size >= 0:
                    sizes[graph.symbol(name, axis, dim_name)] = size
        return sizes


def _settle(spec: TensorSpec, inferred: Shape, sizes: dict[str, int]) -> Shape:
    """An output's shape: what the network fixes, else what its formula gives, else what ONNX infers, else -1."""
    settled = []
    for axis, size in enumerate(spec.shape):
        if size == -1 and spec.formulas and spec.formulas[axis] != "":
            with suppress(KeyError):  # a dimension in the formula is not known yet
                size = graph.evaluate(str(spec.formulas[axis]), sizes)
        if size == -1 and len(inferred) == len(spec.shape):
            size = inferred[axis]
        settled.append(size)
    return tuple(settled)


_FORMAT_NAMES = {"FLOAT": "FP32", "HALF": "FP16"}
