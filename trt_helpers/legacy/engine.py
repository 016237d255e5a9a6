"""``ICudaEngine`` as TensorRT 8 had it: T tensors in K profiles are T x K numbered bindings."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from ..errors import log_line
from ..lanes import trt
from .context import IExecutionContext
from .indices import Bindings
from .view import View, replaced_by

EXPLICIT_BATCH = "network created with NetworkDefinitionCreationFlag::EXPLICIT_BATCH flag"


class ICudaEngine(View):
    """A view: binding numbers on top, all of today's members behind them.

    A binding may be given by its number or by its name, as in TensorRT 8. Nothing raises for one that does not exist:
    there is one ERROR in the log and a neutral answer.

    Attributes:
        bindings: the arithmetic between numbers, names and profiles.
    """

    def __init__(self, real: trt.ICudaEngine, logger: trt.ILogger) -> None:
        super().__init__(real)
        self._logger = logger
        names = tuple(real.get_tensor_name(i) for i in range(real.num_io_tensors))
        self._bindings = Bindings(names, real.num_optimization_profiles)

    @property
    def bindings(self) -> Bindings:
        """The arithmetic between numbers, names and profiles."""
        return self._bindings

    def _refuse(self, key: str, **facts: object) -> None:
        self._logger.log(trt.ILogger.Severity.ERROR, log_line(key, **facts))

    def _tensor(self, binding: int | str, method: str) -> str | None:
        """The name of a binding's tensor; None, and a line in the log, for a binding that there is not."""
        index = self.bindings.resolve(binding)
        if index in self.bindings:
            return self.bindings.tensor(index)
        self._refuse("binding_out_of_range", method=method, index=index, count=len(self.bindings))
        return None

    # ---- numbers and names ----------------------------------------------------------------------------------

    @property
    def num_bindings(self) -> int:
        """Inputs and outputs, once for every profile."""
        return len(self.bindings)

    def __len__(self) -> int:
        return len(self.bindings)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: int | str) -> int | str:
        """``engine["x"]`` is a number, ``engine[0]`` a name; past the end: IndexError, so that loops end."""
        if isinstance(key, str):
            return self.bindings.index(key)
        index = operator.index(key)
        index += len(self) if index < 0 else 0
        if index not in self.bindings:
            raise IndexError("Out of bounds")
        return self.bindings.name(index)

    def __iter__(self) -> Iterator[str]:
        return (self.bindings.name(binding) for binding in range(len(self)))

    @replaced_by("get_tensor_name")
    def get_binding_name(self, index: int) -> str | None:
        """``"x"``, and ``"x [profile 1]"`` for its twin in profile 1; None out of range."""
        return self.bindings.name(index) if self._tensor(index, "getBindingName") else None

    @replaced_by("get_tensor_name")
    def get_binding_index(self, name: str) -> int:
        """The inverse; -1 for a name that there is not."""
        return self.bindings.index(name)

    # ---- one binding ----------------------------------------------------------------------------------------

    @replaced_by("get_tensor_mode")
    def binding_is_input(self, index: int | str | None = None, name: str | None = None) -> bool:
        """Whether it is an input; False out of range."""
        tensor = self._tensor(_given(index, name), "bindingIsInput")
        return tensor is not None and self.real.get_tensor_mode(tensor) == trt.TensorIOMode.INPUT

    @replaced_by("get_tensor_dtype")
    def get_binding_dtype(self, index: int | str | None = None, name: str | None = None) -> trt.DataType:
        """The type. Ids may be INT64 today, where TensorRT 8 knew INT32 only; FLOAT out of range."""
        tensor = self._tensor(_given(index, name), "getBindingDataType")
        return trt.DataType.FLOAT if tensor is None else self.real.get_tensor_dtype(tensor)

    @replaced_by("get_tensor_shape")
    def get_binding_shape(self, index: int | str | None = None, name: str | None = None) -> trt.Dims:
        """The shape as the binding's own profile leaves it open: -1 only where its min and max differ.

        ``engine.get_tensor_shape`` has -1 wherever the network is dynamic, in every profile. An output's shape is
        the network's. Out of range: empty.
        """
        binding = self.bindings.resolve(_given(index, name))
        tensor = self._tensor(binding, "getBindingDimensions")
        if tensor is None:
            return trt.Dims()
        shape = tuple(self.real.get_tensor_shape(tensor))
        if -1 not in shape or self.real.get_tensor_mode(tensor) != trt.TensorIOMode.INPUT:
            return trt.Dims(shape)
        low, _, high = self.real.get_tensor_profile_shape(tensor, self.bindings.profile(binding))
        return trt.Dims([a if a == b else -1 for a, b in zip(low, high, strict=True)])

    @replaced_by("get_tensor_location")
    def get_location(self, index: int | str | None = None, name: str | None = None) -> trt.TensorLocation:
        """HOST for shape inputs; DEVICE for all others, and out of range."""
        tensor = self._tensor(_given(index, name), "getLocation")
        return trt.TensorLocation.DEVICE if tensor is None else self.real.get_tensor_location(tensor)

    @replaced_by("get_tensor_location")
    def is_shape_binding(self, binding: int) -> bool:
        """Whether its values are used to compute shapes."""
        tensor = self._tensor(binding, "isShapeBinding")
        return tensor is not None and self.real.is_shape_inference_io(tensor)

    @replaced_by("get_tensor_location")
    def is_execution_binding(self, binding: int) -> bool:
        """Whether an execution reads or writes it on the device."""
        tensor = self._tensor(binding, "isExecutionBinding")
        return tensor is not None and self.real.get_tensor_location(tensor) == trt.TensorLocation.DEVICE

    def _format(self, binding: int, method: str, ask: str, otherwise: object) -> object:
        tensor = self._tensor(binding, method)
        return otherwise if tensor is None else getattr(self.real, ask)(tensor, self.bindings.profile(binding))

    @replaced_by("get_tensor_format")
    def get_binding_format(self, index: int) -> trt.TensorFormat:
        """The memory layout."""
        return self._format(index, "getBindingFormat", "get_tensor_format", trt.TensorFormat.LINEAR)

    @replaced_by("get_tensor_format_desc")
    def get_binding_format_desc(self, index: int) -> str:
        """The memory layout in words."""
        return self._format(index, "getBindingFormatDesc", "get_tensor_format_desc", "")

    @replaced_by("get_tensor_vectorized_dim")
    def get_binding_vectorized_dim(self, index: int) -> int:
        """The vectorised dimension; -1 for ordinary tensors."""
        return self._format(index, "getBindingVectorizedDim", "get_tensor_vectorized_dim", -1)

    @replaced_by("get_tensor_bytes_per_component")
    def get_binding_bytes_per_component(self, index: int) -> int:
        """Bytes of a component of a vectorised tensor; -1 for ordinary ones."""
        return self._format(index, "getBindingBytesPerComponent", "get_tensor_bytes_per_component", -1)

    @replaced_by("get_tensor_components_per_element")
    def get_binding_components_per_element(self, index: int) -> int:
        """Components of an element of a vectorised tensor; -1 for ordinary ones."""
        return self._format(index, "getBindingComponentsPerElement", "get_tensor_components_per_element", -1)

    # ---- profiles -------------------------------------------------------------------------------------------

    def _in_profile(self, profile_index: int, binding: int | str) -> str:
        """The tensor of a binding of this profile; of another one: a name that no tensor has."""
        index = self.bindings.resolve(binding)
        corrected = self.bindings.corrected(index, profile_index)
        if corrected in self.bindings and self.bindings.profile(corrected) == profile_index:
            return self.bindings.tensor(corrected)
        return f"binding {index}"

    @replaced_by("get_tensor_profile_shape")
    def get_profile_shape(self, profile_index: int, binding: int | str) -> list[trt.Dims]:
        """``[min, opt, max]``; mind the order of the arguments, which is the other way round today.

        A binding of profile 0 stands for its twin in ``profile_index``. An output, or a binding of another profile:
        three invalid ``Dims``.
        """
        return self.real.get_tensor_profile_shape(self._in_profile(profile_index, binding), profile_index)

    @replaced_by("get_tensor_profile_shape")
    def get_profile_shape_input(self, profile_index: int, binding: int | str) -> list[list[int]]:
        """The values of a shape input: min, opt, max.

        Raises:
            RuntimeError: it is not a shape input.
        """
        return self.real.get_tensor_profile_values(profile_index, self._in_profile(profile_index, binding))

    # ---- implicit batch: gone -------------------------------------------------------------------------------

    @property
    def has_implicit_batch_dimension(self) -> bool:
        """False: every network has an explicit batch dimension since TensorRT 10."""
        return False

    @property
    @replaced_by(EXPLICIT_BATCH)
    def max_batch_size(self) -> int:
        """1, as TensorRT 8 said of every network with an explicit batch dimension: the profile has the limits."""
        return 1

    # ---- contexts -------------------------------------------------------------------------------------------

    def create_execution_context(self, *args: object, **kwargs: object) -> IExecutionContext | None:
        """A context on profile 0, with TensorRT 8's members."""
        context = self.real.create_execution_context(*args, **kwargs)
        return None if context is None else IExecutionContext(context, self)

    def create_execution_context_without_device_memory(self) -> IExecutionContext | None:
        """A context that is given its memory before it runs: ``context.device_memory = address``."""
        return self.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)

    @property
    def device_memory_size(self) -> int:
        """Bytes of activation memory of a context."""
        return self.real.device_memory_size_v2


def _given(index: int | str | None, name: str | None) -> int | str:
    """TensorRT 8 had each of these methods twice: with ``index`` and with ``name``."""
    if (index is None) == (name is None):
        raise TypeError("Give the binding either by its index or by its name.")
    return index if name is None else name
