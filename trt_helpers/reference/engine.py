"""``ICudaEngine``: what a plan says about itself. Nothing in it changes after it was made."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import tensorrt_rtx as rtx

from . import shapes
from .bindings import InvalidDims, NotConstructible, checked, type_error
from .context import IExecutionContext
from .device import make_device
from .engine_extras import EngineExtras
from .execution import byte_size
from .header import PlanHeader, Shape, TensorSpec
from .output_shapes import OutputShapes
from .refusal import Refused, refusing
from .reporting import WithErrorRecorder
from .runtime_config import IRuntimeConfig
from .session import Sessions

if TYPE_CHECKING:
    from .runtime import Runtime

Strategy = rtx.ExecutionContextAllocationStrategy


class ICudaEngine(EngineExtras, WithErrorRecorder, NotConstructible):
    """Stand-in for ``tensorrt.ICudaEngine``, made by ``Runtime.deserialize_cuda_engine``.

    Getters never raise for an unknown name: they log an ERROR and return a neutral value, as TensorRT's do
    (contract: 8). The engine keeps its runtime alive, and through it the logger.
    """

    @classmethod
    def _make(
        cls, runtime: Runtime, header: PlanHeader, output_shapes: OutputShapes, sessions: Sessions, plan: object
    ) -> ICudaEngine:
        engine = object.__new__(cls)
        engine._runtime = runtime
        engine._log = runtime._log.copy()
        engine._header = header
        engine._plan = plan
        engine._sessions = sessions
        engine._device = make_device(sessions.device)
        engine._specs = {spec.name: spec for spec in (*header.inputs, *header.outputs)}
        engine._inputs = {spec.name: spec for spec in header.inputs}
        engine._outputs = {spec.name: spec for spec in header.outputs}
        engine._shape_inputs = [spec.name for spec in header.inputs if spec.is_shape_tensor]
        engine._names = list(engine._specs)
        engine._output_shapes = output_shapes
        engine._forced_shapes = {}
        return engine

    # ---- names -------------------------------------------------------------------------------------------

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs, whatever the number of profiles. Contract: 7."""
        return len(self._names)

    @checked
    @refusing("getIOTensorName", otherwise=None)
    def get_tensor_name(self, index: int) -> str | None:
        """The name of I/O tensor ``index``: inputs first, in network order. Out of range: None and an ERROR."""
        if not 0 <= index < len(self._names):
            raise Refused("tensor_index_out_of_range", index=index, count=len(self._names))
        return self._names[index]

    def __getitem__(self, index: int) -> str | None:
        """``engine[i]``: the i-th name; negative counts from the end. Past the end: IndexError.

        There is no lower bound in the bindings: a very negative index gives None and an ERROR.
        """
        try:
            index = operator.index(index)
        except TypeError:
            raise type_error(self, "__getitem__", (index,)) from None
        index += len(self._names) if index < 0 else 0
        if index >= len(self._names):
            raise IndexError("Out of bounds")
        return self.get_tensor_name(index)

    def _spec(self, name: str) -> TensorSpec:
        if name not in self._specs:
            raise Refused("unknown_tensor", tensor=name)
        return self._specs[name]

    # ---- one tensor --------------------------------------------------------------------------------------

    @checked
    @refusing("getTensorIOMode", otherwise=rtx.TensorIOMode.NONE)
    def get_tensor_mode(self, name: str) -> rtx.TensorIOMode:
        """INPUT or OUTPUT; NONE for an unknown name."""
        self._spec(name)
        return rtx.TensorIOMode.INPUT if name in self._inputs else rtx.TensorIOMode.OUTPUT

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

    def _bytes(self, name: str, shape: Shape) -> int:
        return byte_size(shape, getattr(rtx.DataType, self._specs[name].dtype).itemsize)

    # ---- profiles ----------------------------------------------------------------------------------------

    @property
    def num_optimization_profiles(self) -> int:
        """At least 1, even for an engine without a dynamic dimension."""
        return len(self._header.profiles)

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
        if name not in self._inputs:
            raise Refused("not_an_input", tensor=name)
        count = len(self._header.profiles)
        if not 0 <= profile_index < count:
            raise Refused("profile_out_of_range", profile=profile_index, count=count)
        return self._profile(name, profile_index)

    def _profile(self, name: str, index: int) -> list[Shape]:
        return self._header.profiles[index].get(name) or [self._specs[name].shape] * 3

    def _forced(self, name: str, profile: int) -> Shape:
        """See ``shapes.forced``; remembered, because every execution asks."""
        if (name, profile) not in self._forced_shapes:
            self._forced_shapes[name, profile] = shapes.forced(self, profile, name)
        return self._forced_shapes[name, profile]

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
        if isinstance(given, IRuntimeConfig):
            return IExecutionContext._make(self, given.get_execution_context_allocation_strategy(), given)
        return IExecutionContext._make(self, given or Strategy.STATIC, None)

    def __repr__(self) -> str:
        return f"<reference ICudaEngine '{self.name}' (ONNX Runtime, not TensorRT)>"
