"""``IExecutionContext``: shapes, addresses, execution. The state of a request lives here, and only here.

TensorRT's habit, which explains most surprises: a call that cannot be carried out returns ``False``, logs one
ERROR and changes nothing. So the old shape or address stays in force, and the next execution uses it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import tensorrt_rtx as rtx

from . import allocators, execution, shapes
from .arguments import Handle, checked
from .arguments import shape as shape_argument
from .context_tools import ContextTools
from .device import first_line
from .facade import Facade, InvalidDims, NotConstructible, WithErrorRecorder, alone, made, refusing
from .header import Shape
from .model import Context
from .neutral import NeutralContext
from .refusal import Refused, strict
from .reporting import Log

GPU_ALIGNMENT = 256


class IExecutionContext(ContextTools, NeutralContext, WithErrorRecorder, NotConstructible):
    """Stand-in for ``tensorrt.IExecutionContext``, made by ``engine.create_execution_context()``.

    Each context has its own shapes, addresses, profile and allocators; weights are the engine's. It keeps its
    engine alive, and nothing that it only has the address of. Contract: 77 to 79.

    ``TRT_HELPERS_STRICT=1`` (read when the context is made) refuses three things that a GPU gets wrong without a
    word: an address that is no multiple of 256, and an execution or a profile switch on one stream while the
    last execution on another stream is unfinished.
    """

    @property
    def engine(self) -> rtx.ICudaEngine:
        """The engine it was made from."""
        return self._engine

    # ---- profiles ----------------------------------------------------------------------------------------

    @property
    def active_optimization_profile(self) -> int:
        """The index of the profile in use; a new context starts on 0. Contract: 31."""
        return self._model.profile

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
        shapes.known_profile(self._model.engine, profile_index)
        self._check_in_flight(stream_handle)
        if profile_index != self._model.profile:
            self._model.profile = profile_index
            self._model.shapes.clear()
        return True

    # ---- shapes ------------------------------------------------------------------------------------------

    def set_input_shape(self, name: str, shape: tuple | list | rtx.Dims) -> bool:
        """Say how big an input will be. True, or False with the old shape still in force.

        Only the active profile is asked: TensorRT's guide says so, its log line speaks of any profile. True is
        about this input alone: ``infer_shapes`` tells whether all of them fit together. Contract: 17, 24 to 30.

        Raises:
            TypeError: ``shape`` is no sequence. RuntimeError: more than 8 dimensions, or not integers.
        """
        asked = shape_argument(self, name, shape)
        return self._set_input_shape(name.decode() if isinstance(name, bytes) else name, asked)

    @refusing("setInputShape")
    @alone
    def _set_input_shape(self, name: str, asked: Shape) -> bool:
        shapes.known(self._model.engine, name)
        shapes.check(self._model.engine, self._model.profile, name, asked)
        self._model.shapes[name] = asked
        return True

    @checked
    def get_tensor_shape(self, name: str) -> rtx.Dims:
        """The shape in this context: -1 where it is not known yet, invalid ``Dims`` if the inputs disagree.

        An input's dimension is known once it is set, or if the profile leaves only one size for it. What depends
        on the data stays -1, even after an execution. Contract: 13 to 16.
        """
        shape = self._shape(name)
        return InvalidDims() if shape is None else rtx.Dims(shape)

    @checked
    def get_tensor_strides(self, name: str) -> rtx.Dims:
        """Row-major strides in elements, not bytes; invalid ``Dims`` while a dimension is unknown. Contract: 18."""
        shape = self._shape_for_strides(name)
        return InvalidDims() if shape is None or -1 in shape else rtx.Dims(shapes.strides(shape))

    def _any_shape(self, name: str) -> Shape:
        return shapes.tensor_shape(self._model, name)

    _shape = refusing("getTensorShape", otherwise=None)(_any_shape)
    _shape_for_strides = refusing("getTensorStrides", otherwise=None)(_any_shape)

    @refusing("inferShapes", raises="infer_shapes error code: -1")
    def infer_shapes(self) -> list[str]:
        """The names of inputs that still miss something; ``[]`` if all output shapes can be computed.

        A shape input is listed until its shape and its address are set, because its value is read. Contract: 19
        to 21.

        Raises:
            RuntimeError: every shape is set, but they contradict each other.
        """
        engine, missing = self._model.engine, self._model.unset()
        missing += [n for n in engine.shape_inputs if n not in missing and not self._model.addresses.get(n)]
        if missing:
            return [name for name in engine.inputs if name in missing]
        for name in engine.outputs:
            shapes.output_shape(self._model, name)
        return []

    @property
    def all_binding_shapes_specified(self) -> bool:
        """True if no input shape is missing. NVIDIA documents it for TensorRT 8's API; prefer ``infer_shapes``."""
        return not self._model.unset()

    @checked
    @refusing("getMaxOutputSize", otherwise=-1)
    def get_max_output_size(self, name: str) -> int:
        """Bytes enough for this output, rounded up to a multiple of 512; -1 if not known, or not an output.

        What depends on the data counts as large as it can get; here that is known for ``NonZero`` only.
        """
        shapes.known(self._model.engine, name)
        if name not in self._model.engine.outputs or self._model.unset():
            return -1
        shape = shapes.output_shape(self._model, name)
        if -1 in shape:
            shape = shapes.output_shape(self._model, name, largest=True)
        return -1 if -1 in shape else allocators.round_up(self._model.engine.num_bytes(name, shape))

    # ---- addresses ---------------------------------------------------------------------------------------

    @checked
    @refusing("setTensorAddress")
    @alone
    def set_tensor_address(self, name: str, memory: Handle) -> bool:
        """Where the tensor's data is. Only the number is kept: keep the tensor alive yourself. 0 resets.

        Neither size nor dtype is checked, because a number has none; nor is alignment, outside strict mode.
        TensorRT asks for multiples of 256, but ordinary CPU tensors have less. Contract: 44 to 53.
        """
        shapes.known(self._model.engine, name)
        if self._strict and memory % GPU_ALIGNMENT:
            raise Refused("address_misaligned", tensor=name, address=memory)
        self._model.addresses[name] = memory
        return True

    @checked
    @refusing("getTensorAddress", otherwise=0)
    def get_tensor_address(self, name: str) -> int:
        """The address that was set; 0 if none was, or the name is unknown."""
        shapes.known(self._model.engine, name)
        return self._model.addresses.get(name, 0)

    @checked
    @refusing("setOutputAllocator")
    @alone
    def set_output_allocator(self, name: str, output_allocator: rtx.IOutputAllocator | None) -> bool:
        """Who provides the memory of an output once its size is known; None removes it. Contract: 9, 70."""
        shapes.known(self._model.engine, name)
        if name not in self._model.engine.outputs:
            raise Refused("not_an_output", tensor=name)
        self._model.allocators.pop(name, None)
        if output_allocator is not None:
            self._model.allocators[name] = output_allocator
        return True

    @checked
    @refusing("getOutputAllocator", otherwise=None)
    def get_output_allocator(self, name: str) -> rtx.IOutputAllocator | None:
        """The allocator that was set, or None."""
        shapes.known(self._model.engine, name)
        return self._model.allocators.get(name)

    @checked
    def set_input_consumed_event(self, event: Handle) -> bool:
        """An event to record, at every execution, once the inputs may be overwritten; 0 removes it.

        ONNX Runtime does not say when it has read its inputs, so the event is recorded when the execution ends:
        later than TensorRT, never too early. Contract: 57, 58.
        """
        self._model.consumed_event = event
        return True

    def get_input_consumed_event(self) -> int:
        """The event that was set, or 0."""
        return self._model.consumed_event

    # ---- execution ---------------------------------------------------------------------------------------

    @checked
    @refusing("enqueueV3")
    @alone
    def execute_async_v3(self, stream_handle: Handle) -> bool:
        """Enqueue one execution and return. True means enqueued: the outputs are valid after the stream is done.

        The inputs are read when the work runs, not now, and at the addresses that are set now. Shape inputs,
        which live in host memory, are read now. Stream 0 works, and each context warns of it once. Contract: 54 to 61.
        """
        request = self._request("enqueueV3", stream_handle, self._model.addresses)
        execution.check_addresses(request)
        self._check_in_flight(stream_handle)
        if stream_handle == 0 and not self._model.has_warned:
            self._log.warning("default_stream")
            self._model.has_warned = True
        execution.enqueue(request)
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
        names = self._model.engine.names
        if len(bindings) < len(names):
            raise Refused("short_bindings", given=len(bindings), count=len(names))
        request = self._request("executeV2", 0, dict(zip(names, bindings, strict=False)))
        execution.check_bindings(request)
        execution.run_to_end(request)
        self._after_enqueue(0)
        return True

    def _request(self, method: str, stream: int, addresses: dict[str, int]) -> execution.Request:
        is_timed = self.profiler is not None
        return execution.prepare(self._model, method, stream, addresses, self._log, is_timed)

    def _check_in_flight(self, stream: int) -> None:
        """Strict mode: two streams in one context at once are as undefined as two threads. Contract: 36, 37."""
        if self._in_flight is None or self._in_flight[0] == stream:
            return
        other, pending = self._in_flight
        if pending():
            raise Refused("other_stream_busy", stream=stream, other=other)

    def _after_enqueue(self, stream: int) -> None:
        device = self._model.engine.device
        if self._strict:
            self._in_flight = stream, device.pending(stream)
        if self.profiler is not None and self.enqueue_emits_profile:
            try:
                device.wait(stream)
            except Exception as error:
                raise Refused("execution_failed", reason=first_line(error)) from None
            self.report_to_profiler()

    def __repr__(self) -> str:
        return f"<reference IExecutionContext of '{self._model.engine.name}' (ONNX Runtime, not TensorRT)>"


def make_context(engine: Facade, model: Context, log: Log, config: Facade | None) -> IExecutionContext:
    """A new context. It keeps its engine alive."""
    state = {"_engine": engine, "_model": model, "_log": log, "_runtime_config": config}
    return made(IExecutionContext, **state, _busy=threading.RLock(), _strict=strict(), _in_flight=None)
