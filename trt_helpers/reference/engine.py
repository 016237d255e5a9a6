"""``ICudaEngine``: what a plan says about itself. Nothing in it changes after it was made."""

from __future__ import annotations

import operator

import tensorrt_rtx as rtx

from . import model, shapes
from .arguments import checked, setter_value, type_error
from .builder import HostMemory
from .context import IExecutionContext, make_context
from .facade import Facade, InvalidDims, NotConstructible, WithErrorRecorder, made, refusing
from .header import Shape, TensorSpec
from .neutral import DEVICE_MEMORY_SIZE, NeutralEngine
from .refusal import Refused
from .reporting import Log
from .runtime_config import (
    EngineInspector,
    IRuntimeConfig,
    ISerializationConfig,
    make_inspector,
    make_runtime_config,
    make_serialization_config,
)

Strategy = rtx.ExecutionContextAllocationStrategy
_FORMAT_NAMES = {"FLOAT": "FP32", "HALF": "FP16"}


class ICudaEngine(NeutralEngine, WithErrorRecorder, NotConstructible):
    """Stand-in for ``tensorrt.ICudaEngine``, made by ``Runtime.deserialize_cuda_engine``.

    Getters never raise for an unknown name: they log an ERROR and return a neutral value, as TensorRT's do
    (contract: 8). The engine keeps its runtime alive, and through it the logger.
    """

    @property
    def name(self) -> str:
        """The network's name."""
        return self._model.name

    @property
    def num_layers(self) -> int:
        """Layers of the network before fusion; on a GPU those after it."""
        return self._model.num_layers

    # ---- names -------------------------------------------------------------------------------------------

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs, whatever the number of profiles. Contract: 7."""
        return len(self._model.names)

    @checked
    @refusing("getIOTensorName", otherwise=None)
    def get_tensor_name(self, index: int) -> str | None:
        """The name of I/O tensor ``index``: inputs first, in network order. Out of range: None and an ERROR."""
        names = self._model.names
        if not 0 <= index < len(names):
            raise Refused("tensor_index_out_of_range", index=index, count=len(names))
        return names[index]

    def __getitem__(self, index: int) -> str | None:
        """``engine[i]``: the i-th name; negative counts from the end. Past the end: IndexError.

        There is no lower bound in the bindings: a very negative index gives None and an ERROR.
        """
        try:
            index = operator.index(index)
        except TypeError:
            raise type_error(self, "__getitem__", (index,)) from None
        index += self.num_io_tensors if index < 0 else 0
        if index >= self.num_io_tensors:
            raise IndexError("Out of bounds")
        return self.get_tensor_name(index)

    def _spec(self, name: str, method: str = "") -> TensorSpec:
        return shapes.known(self._model, name)

    # ---- one tensor --------------------------------------------------------------------------------------

    @checked
    @refusing("getTensorIOMode", otherwise=rtx.TensorIOMode.NONE)
    def get_tensor_mode(self, name: str) -> rtx.TensorIOMode:
        """INPUT or OUTPUT; NONE for an unknown name."""
        self._spec(name)
        return rtx.TensorIOMode.INPUT if name in self._model.inputs else rtx.TensorIOMode.OUTPUT

    @checked
    @refusing("getTensorDataType", otherwise=rtx.DataType.FLOAT)
    def get_tensor_dtype(self, name: str) -> rtx.DataType:
        """The ``DataType``; FLOAT for an unknown name."""
        return getattr(rtx.DataType, self._spec(name).dtype)

    @checked
    def get_tensor_shape(self, name: str) -> rtx.Dims:
        """The network's shape, -1 for every dimension known only at run time. It never changes. Contract: 12."""
        shape = self._network_shape(name)
        return InvalidDims() if shape is None else rtx.Dims(shape)

    @refusing("getTensorShape", otherwise=None)
    def _network_shape(self, name: str) -> Shape:
        return self._spec(name).shape

    @checked
    @refusing("getTensorLocation", otherwise=rtx.TensorLocation.DEVICE)
    def get_tensor_location(self, name: str) -> rtx.TensorLocation:
        """HOST for shape inputs, whose values shapes are computed from; else DEVICE."""
        return rtx.TensorLocation.HOST if self._spec(name).is_shape_tensor else rtx.TensorLocation.DEVICE

    @checked
    @refusing("isShapeInferenceIO")
    def is_shape_inference_io(self, name: str) -> bool:
        """Whether ``infer_shapes`` reads its value."""
        return self._spec(name).is_shape_tensor

    def _format_query(self, name: str, profile_index: int | None, method: str) -> TensorSpec:
        """A query without a profile answers for profile 0, and warns if there are more. Contract: 11."""
        spec, count = self._spec(name), self.num_optimization_profiles
        if profile_index is None and count > 1:
            self._log.warning("profile_0_only", count=count, method=method)
        return spec

    @checked
    @refusing("getTensorFormatDesc", otherwise="")
    def get_tensor_format_desc(self, name: str, profile_index: int | None = None) -> str:
        """The format in words; ``''`` for an unknown name."""
        dtype = self._format_query(name, profile_index, "getTensorFormatDesc").dtype
        return f"Row major linear {_FORMAT_NAMES.get(dtype, dtype)} format (kLINEAR)"

    # ---- profiles ----------------------------------------------------------------------------------------

    @property
    def num_optimization_profiles(self) -> int:
        """At least 1, even for an engine without a dynamic dimension."""
        return len(self._model.profiles)

    @checked
    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[rtx.Dims]:
        """``[min, opt, max]`` of an input; three invalid ``Dims`` for an output, an unknown name or profile.

        For an input without dynamic dimensions all three are its shape: TensorRT's documentation only says
        "input tensor", so this is our reading of it. Contract: 10.
        """
        three = self._profile_shapes(name, profile_index)
        return [InvalidDims() if shape is None else rtx.Dims(shape) for shape in three]

    @refusing("getProfileShape", otherwise=(None, None, None))
    def _profile_shapes(self, name: str, profile_index: int) -> list[Shape]:
        self._spec(name)
        if name not in self._model.inputs:
            raise Refused("not_an_input", tensor=name)
        return self._model.profile(name, shapes.known_profile(self._model, profile_index))

    @checked
    def get_tensor_profile_values(self, name: int, profile_index: str) -> list[list[int]]:
        """Pass ``(profile_index, tensor_name)`` by position: NVIDIA's bindings have the two names swapped.

        Raises:
            RuntimeError: the tensor is not a shape input.
        """
        index, tensor, values = name, profile_index, self._model.profile_values
        if 0 <= index < len(values) and tensor in values[index]:
            return [list(three) for three in values[index][tensor]]
        raise RuntimeError("Binding index does not correspond to an input shape tensor.")

    # ---- memory ------------------------------------------------------------------------------------------

    @checked
    @refusing("getEngineStat", otherwise=-1)
    def get_engine_stat(self, stat: rtx.EngineStat = rtx.EngineStat.TOTAL_WEIGHTS_SIZE) -> int:
        """Bytes of all weights; -1 for STRIPPED_WEIGHTS_SIZE, because the engine was not built without them."""
        return self._model.output_shapes.weight_bytes if stat == rtx.EngineStat.TOTAL_WEIGHTS_SIZE else -1

    @checked
    @refusing("getDeviceMemorySizeForProfileV2", otherwise=0)
    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        """``device_memory_size_v2`` for one profile; 0 and an ERROR if there is no such profile."""
        shapes.known_profile(self._model, profile_index)
        return DEVICE_MEMORY_SIZE

    @property
    def weight_streaming_budget_v2(self) -> int:
        """Bytes of weights kept on the GPU: 0. Setting it is refused: it needs BuilderFlag.WEIGHT_STREAMING."""
        return 0

    @weight_streaming_budget_v2.setter
    def weight_streaming_budget_v2(self, budget: int) -> None:
        setter_value(self, "Handle", budget)
        self._log.error("no_weight_streaming", method="setWeightStreamingBudgetV2")

    # ---- objects made from the engine ----------------------------------------------------------------------

    def create_execution_context(self, *args: object, **kwargs: object) -> IExecutionContext:
        """A new context on profile 0. It keeps the engine alive. Contract: 31, 72, 79.

        Two signatures, as in the bindings: ``(strategy=ExecutionContextAllocationStrategy.STATIC)`` and
        ``(runtime_config=None)``.

        Raises:
            TypeError: neither of them.
        """
        names, values = list(kwargs), [*args, *kwargs.values()]
        known = not names or names in (["strategy"], ["runtime_config"])
        given = values[0] if values else Strategy.STATIC
        is_config = given is None or isinstance(given, IRuntimeConfig)
        fits = names != ["strategy"] if is_config else isinstance(given, Strategy) and names != ["runtime_config"]
        if len(values) > 1 or not known or not fits:
            raise type_error(self, "create_execution_context", args, kwargs)
        strategy = given.get_execution_context_allocation_strategy() if isinstance(given, IRuntimeConfig) else given
        context = model.Context(self._model, strategy or Strategy.STATIC)
        return make_context(self, context, self._log.copy(), given if isinstance(given, IRuntimeConfig) else None)

    @refusing("serialize", otherwise=None)
    def serialize(self) -> HostMemory | None:
        """The plan that the engine was made from, byte for byte; None if its copy on disk was lost."""
        try:
            return HostMemory(self._model.plan.read())
        except OSError as error:
            raise Refused("plan_copy_lost", reason=error) from None

    def create_serialization_config(self) -> ISerializationConfig:
        """Flags for ``serialize_with_config``."""
        return make_serialization_config()

    def serialize_with_config(self, config: ISerializationConfig) -> HostMemory | None:
        """As ``serialize``: a plan of this lane has nothing that a flag could leave out."""
        return self.serialize()

    def create_runtime_config(self) -> IRuntimeConfig:
        """Settings for ``create_execution_context(runtime_config)``."""
        return make_runtime_config()

    def create_engine_inspector(self) -> EngineInspector:
        """Names the nodes of the graph."""
        return make_inspector(self._model, self._log.copy())

    def __repr__(self) -> str:
        return f"<reference ICudaEngine '{self.name}' (ONNX Runtime, not TensorRT)>"


def make_engine(runtime: Facade, loaded: model.Engine, log: Log) -> ICudaEngine:
    """The engine of a loaded plan. It keeps its runtime alive."""
    return made(ICudaEngine, _runtime=runtime, _model=loaded, _log=log)
