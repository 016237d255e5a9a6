"""``IExecutionContext``: shapes, addresses, execution. The state of a request lives here, and only here.

TensorRT's habit, which explains most surprises: a call that cannot be carried out returns ``False``, logs one
ERROR and changes nothing. So the old shape or address stays in force, and the next execution uses it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import tensorrt_rtx as rtx

from . import allocators, execution, shapes
from .bindings import Handle, InvalidDims, NotConstructible, checked
from .context_extras import ContextExtras
from .graph import ShapesDisagree
from .header import Shape
from .refusal import Refused, alone, refusing, strict
from .reporting import WithErrorRecorder

if TYPE_CHECKING:
    from .engine import ICudaEngine
    from .runtime_config import IRuntimeConfig

Strategy = rtx.ExecutionContextAllocationStrategy

GPU_ALIGNMENT = 256


@dataclass
class State:
    """All that a context remembers between two calls. Contract: B-0.

    A refused call changes nothing, a successful one its own field only, an execution none of them.
    """

    profile: int = 0
    shapes: dict[str, Shape] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    allocators: dict[str, rtx.IOutputAllocator] = field(default_factory=dict)
    consumed_event: int = 0
    aux_streams: tuple[int, ...] = ()
    device_memory: int = 0


class IExecutionContext(ContextExtras, WithErrorRecorder, NotConstructible):
    """Stand-in for ``tensorrt.IExecutionContext``, made by ``engine.create_execution_context()``.

    Each context has its own shapes, addresses, profile and allocators; weights are the engine's. It keeps its
    engine alive, and nothing that it only has the address of. Contract: 77 to 79.

    ``TRT_HELPERS_STRICT=1`` (read when the context is made) refuses three things that a GPU gets wrong without a
    word: an address that is no multiple of 256, and an execution or a profile switch on one stream while the
    last execution on another stream is unfinished.
    """

    @classmethod
    def _make(cls, engine: ICudaEngine, strategy: Strategy, config: IRuntimeConfig | None) -> IExecutionContext:
        context = object.__new__(cls)
        context._engine = engine
        context._log = engine._log.copy()
        context._state = State()
        context._strategy = strategy
        context._runtime_config = config
        context._busy = threading.RLock()
        context._strict = strict()
        context._warned = False  # about the default stream
        context._in_flight: tuple[int, Callable[[], bool]] | None = None
        context._last_run_ms: Callable[[], float] | None = None
        return context

    @property
    def engine(self) -> ICudaEngine:
        """The engine it was made from."""
        return self._engine

    def _check_name(self, name: str) -> None:
        if name not in self._engine._specs:
            raise Refused("unknown_tensor", tensor=name)

    # ---- profiles ----------------------------------------------------------------------------------------

    @property
    def active_optimization_profile(self) -> int:
        """The index of the profile in use; a new context starts on 0. Contract: 31."""
        return self._state.profile

    @checked
    @refusing("setOptimizationProfileAsync", raises="Error in set optimization profile async.")
    @alone
    def set_optimization_profile_async(self, profile_index: int, stream_handle: Handle) -> bool:
        """Switch profiles: the shapes of dynamic inputs are forgotten; addresses and allocators stay.

        Switching to the profile already in use keeps the shapes: TensorRT does not document this case, nor that
        addresses are kept. Use the stream of the executions, or wait for it first. Contract: 32 to 42.

        Returns:
            True, or raises: it never returns False, so ``if not context.set_...`` is dead code.

        Raises:
            RuntimeError: there is no such profile.
        """
        count = self._engine.num_optimization_profiles
        if not 0 <= profile_index < count:
            raise Refused("profile_out_of_range", profile=profile_index, count=count)
        self._check_in_flight(stream_handle)
        if profile_index != self._state.profile:
            self._state.profile = profile_index
            self._state.shapes.clear()
        return True

    # ---- shapes ------------------------------------------------------------------------------------------

    def set_input_shape(self, name: str, shape: tuple | list | rtx.Dims) -> bool:
        """Say how big an input will be. True, or False with the old shape still in force.

        Only the active profile is asked: TensorRT's guide says so, its log line speaks of any profile. True is
        about this input alone: ``infer_shapes`` tells whether all of them fit together. Contract: 17, 24 to 30.

        Raises:
            TypeError: ``shape`` is no sequence. RuntimeError: more than 8 dimensions, or not integers.
        """
        name = name.decode() if isinstance(name, bytes) else name
        return self._set_input_shape(name, shapes.from_argument(self, name, shape))

    @refusing("setInputShape")
    @alone
    def _set_input_shape(self, name: str, asked: Shape) -> bool:
        self._check_name(name)
        shapes.check(self._engine, self._state.profile, name, asked)
        self._state.shapes[name] = asked
        return True

    def _input_shape(self, name: str) -> Shape:
        """What was set, else the engine's shape with every dimension that the profile leaves no choice for."""
        if name in self._state.shapes:
            return self._state.shapes[name]
        return self._engine._forced(name, self._state.profile)

    def _input_shapes(self) -> dict[str, Shape]:
        return {name: self._input_shape(name) for name in self._engine._inputs}

    def _unset(self) -> list[str]:
        return [name for name in self._engine._inputs if -1 in self._input_shape(name)]

    def _extremes(self, name: str) -> tuple[Shape, Shape]:
        low, _, high = self._engine._profile(name, self._state.profile)
        return low, high

    def _shape_values(self, addresses: Mapping[str, int]) -> dict[str, np.ndarray]:
        """The values of shape inputs, read now, for those that have a shape and an address."""
        found = {}
        for name in self._engine._shape_inputs:
            shape, address = self._input_shape(name), addresses.get(name, 0)
            if address and -1 not in shape:
                found[name] = shapes.value_at(self._engine._inputs[name], shape, address)
        return found

    def _output_shape(self, name: str, largest: bool = False) -> Shape:
        """Known in full once every input that it is computed from is set."""
        inputs, oracle, unset = self._input_shapes(), self._engine._output_shapes, self._unset()
        try:
            if oracle.depends_on(name, set(unset)):
                return oracle.so_far(name, inputs, {n: self._extremes(n) for n in unset})
            return oracle.of(inputs, self._shape_values(self._state.addresses), largest)[name]
        except ShapesDisagree as error:
            raise Refused("shapes_disagree", reason=error) from None

    @checked
    def get_tensor_shape(self, name: str) -> rtx.Dims:
        """The shape in this context: -1 where it is not known yet, invalid ``Dims`` if the inputs disagree.

        An input's dimension is known once it is set, or if the profile leaves only one size for it. What depends
        on the data stays -1, even after an execution. Contract: 13 to 16.
        """
        shape = self._shape(name)
        return InvalidDims() if shape is None else rtx.Dims(shape)

    def _any_shape(self, name: str) -> Shape:
        self._check_name(name)
        return self._input_shape(name) if name in self._engine._inputs else self._output_shape(name)

    _shape = refusing("getTensorShape", otherwise=None)(_any_shape)
    _shape_for_strides = refusing("getTensorStrides", otherwise=None)(_any_shape)

    @checked
    def get_tensor_strides(self, name: str) -> rtx.Dims:
        """Row-major strides in elements, not bytes; invalid ``Dims`` while a dimension is unknown. Contract: 18."""
        shape = self._shape_for_strides(name)
        return InvalidDims() if shape is None or -1 in shape else rtx.Dims(shapes.strides(shape))

    @refusing("inferShapes", raises="infer_shapes error code: -1")
    def infer_shapes(self) -> list[str]:
        """The names of inputs that still miss something; ``[]`` if all output shapes can be computed.

        A shape input is listed until its shape and its address are set, because its value is read. Contract: 19
        to 21.

        Raises:
            RuntimeError: every shape is set, but they contradict each other.
        """
        missing = self._unset()
        missing += [n for n in self._engine._shape_inputs if n not in missing and not self._state.addresses.get(n)]
        if missing:
            return [name for name in self._engine._inputs if name in missing]
        for name in self._engine._outputs:
            self._output_shape(name)
        return []

    @property
    def all_binding_shapes_specified(self) -> bool:
        """True if no input shape is missing. NVIDIA documents it for TensorRT 8's API; prefer ``infer_shapes``."""
        return not self._unset()

    @checked
    @refusing("getMaxOutputSize", otherwise=-1)
    def get_max_output_size(self, name: str) -> int:
        """Bytes enough for this output, rounded up to a multiple of 512; -1 if not known, or not an output.

        What depends on the data counts as large as it can get; here that is known for ``NonZero`` only.
        """
        self._check_name(name)
        if name not in self._engine._outputs or self._unset():
            return -1
        shape = self._output_shape(name)
        if -1 in shape:
            shape = self._output_shape(name, largest=True)
        return -1 if -1 in shape else allocators.round_up(self._engine._bytes(name, shape))

    # ---- addresses ---------------------------------------------------------------------------------------

    @checked
    @refusing("setTensorAddress")
    @alone
    def set_tensor_address(self, name: str, memory: Handle) -> bool:
        """Where the tensor's data is. Only the number is kept: keep the tensor alive yourself. 0 resets.

        Neither size nor dtype is checked, because a number has none; nor is alignment, outside strict mode.
        TensorRT asks for multiples of 256, but ordinary CPU tensors have less. Contract: 44 to 53.
        """
        self._check_name(name)
        if self._strict and memory % GPU_ALIGNMENT:
            raise Refused("address_misaligned", tensor=name, address=memory)
        self._state.addresses[name] = memory
        return True

    @checked
    @refusing("getTensorAddress", otherwise=0)
    def get_tensor_address(self, name: str) -> int:
        """The address that was set; 0 if none was, or the name is unknown."""
        self._check_name(name)
        return self._state.addresses.get(name, 0)

    @checked
    @refusing("setOutputAllocator")
    @alone
    def set_output_allocator(self, name: str, output_allocator: rtx.IOutputAllocator | None) -> bool:
        """Who provides the memory of an output once its size is known; None removes it. Contract: 9, 70."""
        self._check_name(name)
        if name not in self._engine._outputs:
            raise Refused("not_an_output", tensor=name)
        self._state.allocators.pop(name, None)
        if output_allocator is not None:
            self._state.allocators[name] = output_allocator
        return True

    @checked
    @refusing("getOutputAllocator", otherwise=None)
    def get_output_allocator(self, name: str) -> rtx.IOutputAllocator | None:
        """The allocator that was set, or None."""
        self._check_name(name)
        return self._state.allocators.get(name)

    @checked
    def set_input_consumed_event(self, event: Handle) -> bool:
        """An event to record, at every execution, once the inputs may be overwritten; 0 removes it.

        ONNX Runtime does not say when it has read its inputs, so the event is recorded when the execution ends:
        later than TensorRT, never too early. Contract: 57, 58.
        """
        self._state.consumed_event = event
        return True

    def get_input_consumed_event(self) -> int:
        """The event that was set, or 0."""
        return self._state.consumed_event

    # ---- execution ---------------------------------------------------------------------------------------

    @checked
    @refusing("enqueueV3")
    @alone
    def execute_async_v3(self, stream_handle: Handle) -> bool:
        """Enqueue one execution and return. True means enqueued: the outputs are valid after the stream is done.

        The inputs are read when the work runs, not now, and at the addresses that are set now. Shape inputs,
        which live in host memory, are read now. Stream 0 works, and each context warns of it once. Contract: 54 to 61.
        """
        request = execution.prepare(self, "enqueueV3", stream_handle, self._state.addresses)
        execution.check_addresses(request)
        self._check_in_flight(stream_handle)
        if stream_handle == 0 and not self._warned:
            self._log.warning("default_stream")
            self._warned = True
        execution.enqueue(self, request)
        self._after_enqueue(stream_handle)
        return True

    @checked
    @refusing("executeV2")
    @alone
    def execute_v2(self, bindings: Sequence[Handle]) -> bool:
        """Execute and wait. ``bindings``: one address for each I/O tensor in ``get_tensor_name`` order.

        TensorRT does not check the length of the list and reads past its end; here a short list is refused.
        Addresses set with ``set_tensor_address`` play no part. Contract: 60.
        """
        names = self._engine._names
        if len(bindings) < len(names):
            raise Refused("short_bindings", given=len(bindings), count=len(names))
        addresses = dict(zip(names, bindings, strict=False))
        request = execution.prepare(self, "executeV2", 0, addresses)
        execution.check_bindings(request)
        execution.run_to_end(self, request)
        self._after_enqueue(0)
        return True

    def _check_in_flight(self, stream: int) -> None:
        """Strict mode: two streams in one context at once are as undefined as two threads. Contract: 36, 37."""
        if self._in_flight is None or self._in_flight[0] == stream:
            return
        other, pending = self._in_flight
        if pending():
            raise Refused("other_stream_busy", stream=stream, other=other)

    def _after_enqueue(self, stream: int) -> None:
        if self._strict:
            self._in_flight = stream, self._engine._device.pending(stream)
        if self.profiler is not None and self.enqueue_emits_profile:
            try:
                self._engine._device.wait(stream)
            except Exception as error:
                raise Refused("execution_failed", reason=execution.first_line(error)) from None
            self.report_to_profiler()

    def __repr__(self) -> str:
        return f"<reference IExecutionContext of '{self._engine.name}' (ONNX Runtime, not TensorRT)>"
