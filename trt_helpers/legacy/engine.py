"""``ICudaEngine`` as TensorRT 8 had it: T tensors in K profiles are T x K numbered bindings."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

from ..errors import log_line
from ..lanes import trt
from ..tensors import tensor_names
from .context import IExecutionContext
from .indices import Bindings
from .view import View, replaced_by

EXPLICIT_BATCH = "network created with NetworkDefinitionCreationFlag::EXPLICIT_BATCH flag"


def _given(index: int | str | None, name: str | None) -> int | str:
    """TensorRT 8 had each of these methods twice: with ``index`` and with ``name``."""
    if (index is None) == (name is None):
        raise TypeError("Give the binding either by its index or by its name.")
    return index if name is None else name


def _question(method: str, now: str, otherwise: object, per_profile: bool = False) -> Callable:
    """A method that answers for one binding, given by its index or by its name, as ``now`` does for its tensor.

    Parameters:
        method: what the log calls it.
        otherwise: the answer for a binding that there is not.
        per_profile: ``now`` takes the binding's profile as well.
    """

    @replaced_by(now)
    def answer(self: ICudaEngine, index: int | str | None = None, name: str | None = None) -> object:
        binding = self.bindings.resolve(_given(index, name))
        tensor = self._tensor(binding, method)
        profile = [self.bindings.profile(binding)] if per_profile else []
        return otherwise if tensor is None else getattr(self.real, now)(tensor, *profile)

    answer.__doc__ = f"TensorRT 8's name of ``{now}``; {otherwise!r} for a binding that there is not."
    return answer


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
        self._bindings = Bindings(tuple(tensor_names(real)), real.num_optimization_profiles)

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
    def is_shape_binding(self, binding: int) -> bool:
        """Whether its values are used to compute shapes."""
        tensor = self._tensor(binding, "isShapeBinding")
        return tensor is not None and self.real.is_shape_inference_io(tensor)

    @replaced_by("get_tensor_location")
    def is_execution_binding(self, binding: int) -> bool:
        """Whether an execution reads or writes it on the device."""
        tensor = self._tensor(binding, "isExecutionBinding")
        return tensor is not None and self.real.get_tensor_location(tensor) == trt.TensorLocation.DEVICE

    # Answered by today's method as it is. Ids may be INT64, where TensorRT 8 knew INT32 only.
    get_binding_dtype = _question("getBindingDataType", "get_tensor_dtype", trt.DataType.FLOAT)
    get_location = _question("getLocation", "get_tensor_location", trt.TensorLocation.DEVICE)
    # The memory layout, and of a vectorised tensor its parts: -1 for ordinary ones.
    get_binding_format = _question("getBindingFormat", "get_tensor_format", trt.TensorFormat.LINEAR, True)
    get_binding_format_desc = _question("getBindingFormatDesc", "get_tensor_format_desc", "", True)
    get_binding_vectorized_dim = _question("getBindingVectorizedDim", "get_tensor_vectorized_dim", -1, True)
    get_binding_bytes_per_component = _question(
        "getBindingBytesPerComponent", "get_tensor_bytes_per_component", -1, True
    )
    get_binding_components_per_element = _question(
        "getBindingComponentsPerElement", "get_tensor_components_per_element", -1, True
    )

    # ---- profiles -------------------------------------------------------------------------------------------

    @replaced_by("get_tensor_profile_shape")
    def get_profile_shape(self, profile_index: int, binding: int | str) -> list[trt.Dims]:
        """``[min, opt, max]``; mind the order of the arguments, which is the other way round today.

        A binding of profile 0 stands for its twin in ``profile_index``. An output, or a binding of another profile:
        three invalid ``Dims``.
        """
        return self.real.get_tensor_profile_shape(self.bindings.tensor_in(profile_index, binding), profile_index)

    @replaced_by("get_tensor_profile_shape")
    def get_profile_shape_input(self, profile_index: int, binding: int | str) -> list[list[int]]:
        """The values of a shape input: min, opt, max.

        Raises:
            RuntimeError: it is not a shape input.
        """
        return self.real.get_tensor_profile_values(profile_index, self.bindings.tensor_in(profile_index, binding))

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
        return None if context is None else IExecutionContext(context, self, self.bindings, self._refuse)

    def create_execution_context_without_device_memory(self) -> IExecutionContext | None:
        """A context that is given its memory before it runs: ``context.device_memory = address``."""
        return self.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)

    @property
    def device_memory_size(self) -> int:
        """Bytes of activation memory of a context."""
        return self.real.device_memory_size_v2
