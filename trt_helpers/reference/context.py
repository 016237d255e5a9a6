"""``IExecutionContext``: shapes, addresses, execution. The state of a request lives here, and only here.

TensorRT's habit, which explains most surprises: a call that cannot be carried out returns ``False``, logs one
ERROR and changes nothing. So the old shape or address stays in force, and the next execution uses it.
"""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import tensorrt_rtx as rtx

from . import graph, shapes
from .bindings import MAX_DIMS, InvalidDims, NotConstructible, checked, dims_text
from .cpu_stream import default_stream, stream_of
from .session import Buffer

if TYPE_CHECKING:
    from .engine import ICudaEngine

Shape = tuple[int, ...]
Strategy = rtx.ExecutionContextAllocationStrategy


@dataclass
class State:
    """All that a context remembers between two calls."""

    profile: int = 0
    shapes: dict[str, Shape] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    allocators: dict[str, rtx.IOutputAllocator] = field(default_factory=dict)
    consumed_event: int = 0
    device_memory: int = 0


class IExecutionContext(NotConstructible):
    """Stand-in for ``tensorrt.IExecutionContext``, made by ``engine.create_execution_context()``."""

    @classmethod
    def _make(cls, engine: ICudaEngine, strategy: Strategy) -> IExecutionContext:
        context = object.__new__(cls)
        context._engine = engine  # keeps the engine alive
        context._log = engine._log.copy()
        context._state = State()
        context._strategy = strategy
        context._busy = threading.Lock()
        context.name = ""
        context.debug_sync = False
        context.enqueue_emits_profile = True
        context.persistent_cache_limit = 0
        return context

    @property
    def engine(self) -> ICudaEngine:
        """The engine it was made from."""
        return self._engine

    @property
    def error_recorder(self) -> rtx.IErrorRecorder | None:
        """Gets the errors instead of the logger."""
        return self._log.recorder

    @error_recorder.setter
    def error_recorder(self, recorder: rtx.IErrorRecorder | None) -> None:
        self._log.recorder = recorder

    def _known(self, name: str, method: str) -> bool:
        if name in self._engine._specs:
            return True
        self._log.error("unknown_tensor", interface="IExecutionContext", method=method, tensor=name)
        return False

    @contextmanager
    def _alone(self, method: str):
        """A context is not thread-safe. TensorRT leaves two threads in one context undefined; we say so."""
        alone = self._busy.acquire(blocking=False)
        if not alone:
            self._log.error("context_in_use", method=method)
        try:
            yield alone
        finally:
            if alone:
                self._busy.release()

    # ---- profiles ----------------------------------------------------------------------------------------

    @property
    def active_optimization_profile(self) -> int:
        """The index of the profile in use; a new context starts on 0."""
        return self._state.profile

    @checked
    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """Switch profiles: the shapes of dynamic inputs are forgotten, addresses stay.

        Switching to the profile already in use keeps the shapes; TensorRT does not document this case.

        Returns:
            True, or raises: it never returns False, so ``if not context.set_...`` is dead code.

        Raises:
            RuntimeError: there is no such profile.
        """
        count = self._engine.num_optimization_profiles
        if not 0 <= profile_index < count:
            self._log.error("profile_out_of_range", profile=profile_index, count=count)
            raise RuntimeError("Error in set optimization profile async.")
        if profile_index != self._state.profile:
            self._state.profile = profile_index
            self._state.shapes.clear()
        return True

    # ---- shapes ------------------------------------------------------------------------------------------

    def set_input_shape(self, name: str, shape: tuple | list | rtx.Dims) -> bool:
        """Say how big an input will be. True, or False with the old shape still in force.

        Only the active profile is asked: TensorRT's guide says so, its log line speaks of any profile.

        Raises:
            TypeError: ``shape`` is no sequence. RuntimeError: more than 8 dimensions, or not integers.
        """
        asked = shapes.from_argument(self, name, shape)
        if len(asked) > MAX_DIMS:
            raise RuntimeError("The number of input dims exceeds the maximum allowed number of dimensions")
        if not self._known(name, "setInputShape"):
            return False
        refusal = shapes.refusal(self._engine, self._state.profile, name, asked)
        if refusal:
            key, facts = refusal
            self._log.error(key, **facts)
            return False
        self._state.shapes[name] = asked
        return True

    def _input_shape(self, name: str) -> Shape:
        """What was set, else the engine's shape with every dimension that the profile leaves no choice for."""
        if name in self._state.shapes:
            return self._state.shapes[name]
        return shapes.forced(self._engine, self._state.profile, name)

    def _input_shapes(self) -> dict[str, Shape]:
        return {name: self._input_shape(name) for name in self._engine._inputs}

    def _unset(self) -> list[str]:
        return [name for name, shape in self._input_shapes().items() if -1 in shape]

    def _output_shape(self, name: str) -> Shape:
        """Known in full once every input that it is computed from is set."""
        inputs, unset = self._input_shapes(), set(self._unset())
        if unset & self._engine._sources[name]:
            inputs = {n: self._engine._inputs[n].shape for n in inputs}
        shapes.check_shared_names(self._engine, inputs)
        return self._engine._output_shapes(inputs)[name]

    @checked
    def get_tensor_shape(self, name: str) -> rtx.Dims:
        """The shape in this context: -1 where it is not known yet, invalid ``Dims`` if the inputs disagree."""
        if not self._known(name, "getTensorShape"):
            return InvalidDims()
        if name in self._engine._inputs:
            return rtx.Dims(self._input_shape(name))
        try:
            return rtx.Dims(self._output_shape(name))
        except graph.ShapesDisagree as error:
            self._log.error("shapes_disagree", method="getTensorShape", reason=error)
            return InvalidDims()

    @checked
    def get_tensor_strides(self, name: str) -> rtx.Dims:
        """Row-major strides in elements, not bytes; invalid ``Dims`` while a dimension is unknown."""
        shape = self.get_tensor_shape(name)
        if isinstance(shape, InvalidDims) or -1 in tuple(shape):
            return InvalidDims()
        return rtx.Dims([math.prod(tuple(shape)[i + 1 :]) for i in range(len(shape))])

    def infer_shapes(self) -> list[str]:
        """The names of inputs that still miss something; ``[]`` if all output shapes can be computed.

        Raises:
            RuntimeError: every shape is set, but they contradict each other.
        """
        missing = self._unset()
        for name, spec in self._engine._inputs.items():
            if spec.is_shape_tensor and name not in missing and not self._state.addresses.get(name):
                missing.append(name)
        if missing:
            return missing
        try:
            for name in self._engine._outputs:
                self._output_shape(name)
        except graph.ShapesDisagree as error:
            self._log.error("shapes_disagree", method="inferShapes", reason=error)
            raise RuntimeError("infer_shapes error code: -1") from None
        return []

    @property
    def all_binding_shapes_specified(self) -> bool:
        """True if no input shape is missing. NVIDIA documents it for TensorRT 8's API; prefer ``infer_shapes``."""
        return not self._unset()

    @checked
    def get_max_output_size(self, name: str) -> int:
        """Bytes enough for this output, rounded up to a multiple of 512; -1 if not known, or not an output."""
        if not self._known(name, "getMaxOutputSize") or name not in self._engine._outputs:
            return -1
        shape = self.get_tensor_shape(name)
        if isinstance(shape, InvalidDims) or -1 in tuple(shape):
            return -1
        return _round_up(self._bytes(name, tuple(shape)))

    def _bytes(self, name: str, shape: Shape) -> int:
        return math.ceil(math.prod(shape) * self._engine.get_tensor_dtype(name).itemsize)

    # ---- addresses ---------------------------------------------------------------------------------------

    @checked
    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Where the tensor's data is. Only the number is kept: keep the tensor alive yourself. 0 resets.

        Neither size nor dtype nor alignment is checked, because a number has none.
        """
        if not self._known(name, "setTensorAddress"):
            return False
        self._state.addresses[name] = memory
        return True

    @checked
    def get_tensor_address(self, name: str) -> int:
        """The address that was set; 0 if none was, or the name is unknown."""
        self._known(name, "getTensorAddress")
        return self._state.addresses.get(name, 0)

    @checked
    def set_output_allocator(self, name: str, output_allocator: rtx.IOutputAllocator | None) -> bool:
        """Who provides the memory of an output once its size is known; None removes it."""
        if not self._known(name, "setOutputAllocator"):
            return False
        if name not in self._engine._outputs:
            self._log.error("not_an_output", method="setOutputAllocator", tensor=name)
            return False
        self._state.allocators[name] = output_allocator
        if output_allocator is None:
            del self._state.allocators[name]
        return True

    @checked
    def get_output_allocator(self, name: str) -> rtx.IOutputAllocator | None:
        """The allocator that was set, or None."""
        self._known(name, "getOutputAllocator")
        return self._state.allocators.get(name)

    @checked
    def set_device_memory(self, memory: int, size: int) -> None:
        """Activation memory for a USER_MANAGED context; ONNX Runtime uses its own, so only the rules hold here."""
        if memory % 512:
            self._log.error("device_memory_misaligned")
        else:
            self._state.device_memory = memory

    def update_device_memory_size_for_shapes(self) -> int:
        """Bytes needed for the shapes now set; 0 while one is missing."""
        return 0 if self._unset() else self._engine.device_memory_size_v2

    @checked
    def set_input_consumed_event(self, event: int) -> bool:
        """An event to record once the inputs may be overwritten; 0 removes it.

        On the CPU lane the event is recorded when the execution ends.
        """
        self._state.consumed_event = event
        return True

    def get_input_consumed_event(self) -> int:
        """The event that was set, or 0."""
        return self._state.consumed_event

    def set_aux_streams(self, aux_streams: list[int]) -> None:
        """Accepted and not used: the reference engine has no auxiliary streams (``num_aux_streams`` is 0)."""
        [int(handle) for handle in aux_streams]

    # ---- execution ---------------------------------------------------------------------------------------

    @checked
    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue one execution and return. True means enqueued: the outputs are valid after the stream is done.

        The inputs are read when the work runs, not now, and at the addresses that are set now.
        """
        with self._alone("enqueueV3") as alone:
            if not alone or not self._ready("enqueueV3"):
                return False
            addresses = dict(self._state.addresses)
            if stream_handle == 0:
                self._log.warning("default_stream")
            if not self._fill_in_allocated(addresses, stream_handle):
                return False
            return self._enqueue("enqueueV3", addresses, stream_handle)

    @checked
    def execute_v2(self, bindings: list[int]) -> bool:
        """Execute and wait. ``bindings``: one address for each I/O tensor in ``get_tensor_name`` order.

        TensorRT does not check the length of the list and reads past its end; here a short list is refused.
        """
        with self._alone("executeV2") as alone:
            if not alone or not self._shapes_ready("executeV2"):
                return False
            names = self._engine._names
            if len(bindings) < len(names):
                self._log.error("short_bindings", given=len(bindings), count=len(names))
                return False
            addresses = dict(zip(names, (int(b) for b in bindings), strict=False))
            for name, address in addresses.items():
                if not address and not self._may_be_null(name):
                    self._log.error("null_binding", tensor=name)
                    return False
            if not self._fill_in_allocated(addresses, 0) or not self._enqueue("executeV2", addresses, 0):
                return False
            return self._wait("executeV2")

    def _may_be_null(self, name: str) -> bool:
        return name in self._state.allocators or (name in self._engine._inputs and 0 in self._input_shape(name))

    def _shapes_ready(self, method: str) -> bool:
        unset = self._unset()
        if unset:
            self._log.error("shapes_not_specified", method=method, tensors=", ".join(unset))
            return False
        if self._strategy == Strategy.USER_MANAGED and not self._state.device_memory:
            self._log.error("no_device_memory", method=method)
            return False
        try:
            self._engine_outputs()
        except graph.ShapesDisagree as error:
            self._log.error("shapes_disagree", method=method, reason=error)
            return False
        return True

    def _engine_outputs(self) -> dict[str, Shape]:
        inputs = self._input_shapes()
        shapes.check_shared_names(self._engine, inputs)
        return self._engine._output_shapes(inputs)

    def _ready(self, method: str) -> bool:
        if not self._shapes_ready(method):
            return False
        for name in self._engine._inputs:
            if not self._state.addresses.get(name):
                self._log.error("input_address_missing", tensor=name)
                return False
        for name in self._engine._outputs:
            if not self._state.addresses.get(name) and name not in self._state.allocators:
                self._log.error("output_address_missing", tensor=name)
                return False
        return True

    def _fill_in_allocated(self, addresses: dict[str, int], stream: int) -> bool:
        """Ask the output allocators for memory, and tell them the shapes, before the work is enqueued."""
        for name, allocator in self._state.allocators.items():
            shape = self._engine_outputs()[name]
            if -1 in shape:
                continue
            size = _round_up(self._bytes(name, shape))
            address = shapes.ask_allocator(allocator, name, addresses.get(name, 0), size, stream)
            if not address:
                self._log.error("output_allocation_failed", tensor=name, size=size)
                return False
            addresses[name] = address
            allocator.notify_shape(name, rtx.Dims(shape))
        return True

    def _buffer(self, name: str, shape: Shape, address: int) -> Buffer:
        return Buffer(name, self._engine._specs[name].onnx_type, shape, address)

    def _enqueue(self, method: str, addresses: dict[str, int], stream_handle: int) -> bool:
        sessions = self._engine._sessions
        inputs = [self._buffer(n, s, addresses[n]) for n, s in self._input_shapes().items()]
        outputs = [self._buffer(n, s, addresses[n]) for n, s in self._engine_outputs().items()]

        def run() -> None:
            try:
                sessions.run(inputs, outputs, stream_handle)
            except Exception as error:
                reason = str(error).strip().splitlines()[0]
                self._log.error("execution_failed", method=method, reason=reason)
                raise

        return self._put(run, method, stream_handle)

    def _put(self, run, method: str, stream_handle: int) -> bool:
        """On the CPU into the stream's queue; on CUDA the run itself only enqueues kernels."""
        if self._engine._sessions.device == "cuda":
            try:
                run()
            except Exception:
                return False
            return True
        stream = stream_of(stream_handle)
        if stream is None:
            self._log.error("unknown_stream", method=method, handle=stream_handle)
            return False
        stream.enqueue(run)
        return True

    def _wait(self, method: str) -> bool:
        try:
            if self._engine._sessions.device == "cuda":
                import torch

                torch.cuda.default_stream().synchronize()
            else:
                default_stream().synchronize()
        except Exception:
            return False
        return True

    def __repr__(self) -> str:
        return f"<reference IExecutionContext of '{self._engine.name}' (ONNX Runtime, not TensorRT)>"


def _round_up(size: int) -> int:
    """To the next multiple of 512, and never 0: TensorRT asks allocators for at least some memory."""
    return max(512, -(-size // 512) * 512)
