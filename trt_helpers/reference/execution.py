"""What happens at ``execute_async_v3`` and ``execute_v2``: the checks in TensorRT's order, then the work.

Contract: 54 to 65, 70, 71.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorrt_rtx as rtx

from . import allocators
from .device import first_line
from .graph import ShapesDisagree
from .header import Shape
from .model import Context
from .refusal import Refused
from .reporting import Log
from .session import Buffer
from .shapes import shape_values

USER_MANAGED = rtx.ExecutionContextAllocationStrategy.USER_MANAGED


@dataclass
class Request:
    """One execution, as it was when it was enqueued: later changes to the context do not reach it.

    ``log`` gets what goes wrong later, ``is_timed`` asks for the time that it takes.
    """

    context: Context
    method: str
    stream: int
    inputs: dict[str, Shape]
    values: dict[str, np.ndarray]  # of shape inputs: copied now, so that their buffers may change afterwards
    outputs: dict[str, Shape]
    addresses: dict[str, int]
    allocators: dict[str, rtx.IOutputAllocator]
    log: Log
    is_timed: bool

    @property
    def unsized(self) -> list[str]:
        """Outputs whose size depends on the data."""
        return [name for name, shape in self.outputs.items() if -1 in shape]


# ---- the checks --------------------------------------------------------------------------------------------


def prepare(
    context: Context, method: str, stream: int, addresses: Mapping[str, int], log: Log, is_timed: bool
) -> Request:
    """A request that may run.

    Raises:
        Refused: a shape is missing, there is no memory to work in, or the shapes contradict each other.
    """
    unset = context.unset()
    if unset:
        raise Refused("shapes_not_specified", tensors=", ".join(unset))
    if context.strategy == USER_MANAGED and not context.device_memory:
        raise Refused("no_device_memory")
    addresses = dict(addresses)
    try:
        inputs, values = context.input_shapes(), shape_values(context, addresses)
        outputs = context.engine.output_shapes.of(inputs, values)
    except ShapesDisagree as error:
        raise Refused("shapes_disagree", reason=error) from None
    places = addresses, dict(context.allocators)
    return Request(context, method, stream, inputs, values, outputs, *places, log.copy(), is_timed)


def check_addresses(request: Request) -> None:
    """``enqueueV3``: every input has an address, every output an address or an allocator. Contract: 50, 54, 68."""
    for name in request.inputs:
        if not request.addresses.get(name):
            raise Refused("input_address_missing", tensor=name)
    for name, shape in request.outputs.items():
        if name in request.allocators:
            continue
        if not request.addresses.get(name):
            raise Refused("output_address_missing", tensor=name)
        if -1 in shape:
            raise Refused("output_needs_allocator", tensor=name)


def check_bindings(request: Request) -> None:
    """``executeV2``: 0 is allowed for an empty input and for an output with an allocator. Contract: 54, 60."""
    for name, shape in {**request.inputs, **request.outputs}.items():
        is_empty_input = name in request.inputs and 0 in shape
        if not request.addresses[name] and not is_empty_input and name not in request.allocators:
            raise Refused("null_binding", tensor=name)
        if -1 in shape and name not in request.allocators:
            raise Refused("output_needs_allocator", tensor=name)


# ---- the work ----------------------------------------------------------------------------------------------


def enqueue(request: Request) -> None:
    """Put a request on its stream.

    Raises:
        Refused: no such stream or event, an allocator gave no memory, or (only if something had to be waited
            for) the execution failed.
    """
    device, event = request.context.engine.device, request.context.consumed_event
    device.check(request.stream, event)
    _allocate_sized(request)
    if request.unsized:
        _run_and_deliver(request)
    else:
        device.submit(_work(request), request.stream)
    if event:
        device.record(event, request.stream)


def run_to_end(request: Request) -> None:
    """Execute and wait. A failure is this caller's alone: the stream stays usable for others.

    Raises:
        Refused: as ``enqueue``, or the execution failed.
    """
    _allocate_sized(request)
    request.context.engine.device.drain(request.stream)
    try:
        _complete(request)
    except Exception as error:
        raise _refusal(error) from None


def _allocate_sized(request: Request) -> None:
    """Ask allocators for memory and tell the shapes that are known; before the call returns, and at every call."""
    for name, allocator in request.allocators.items():
        shape = request.outputs[name]
        if -1 not in shape:
            size = allocators.round_up(request.context.engine.num_bytes(name, shape))
            current = request.addresses.get(name, 0)
            request.addresses[name] = allocators.ask(allocator, name, current, size, request.stream)
            allocators.tell(allocator, name, shape)


def _run(request: Request) -> dict:
    """Run; take the time if anybody wants to know it."""
    engine, unsized = request.context.engine, request.unsized
    inputs = [_buffer(request, name, shape) for name, shape in request.inputs.items()]
    outputs = [_buffer(request, name, shape) for name, shape in request.outputs.items() if name not in unsized]
    stop = engine.device.stopwatch(request.stream) if request.is_timed else None
    values = engine.sessions.run(inputs, outputs, unsized, request.stream)
    request.context.last_run_ms = stop() if stop else None
    return values


def _buffer(request: Request, name: str, shape: Shape) -> Buffer:
    engine = request.context.engine
    spec = engine.specs[name]
    # execute_v2 takes 0 for an empty input, ONNX Runtime does not; no byte of it is read.
    address = request.addresses[name] or engine.device.somewhere()
    if name in request.values:
        address = request.values[name].ctypes.data
    return Buffer(name, spec.onnx_type, shape, address, on_host=spec.is_shape_tensor)


def _work(request: Request) -> Callable[[], None]:
    """The piece of work for the stream. What fails is logged at once and stays the stream's error."""

    def work() -> None:
        try:
            _run(request)
        except Exception as error:
            if request.context.engine.device.name == "cpu":  # on CUDA the caller is still there to be told
                request.log.error("execution_failed", method=request.method, reason=first_line(error))
            raise

    return work


def _run_and_deliver(request: Request) -> None:
    """Run and wait. For outputs whose size depends on the data: ask the allocators, copy, tell the shapes.

    Their shape has to be known before the call returns (contract: 70, 71), so this call waits for the stream.
    The work is done in the stream's order, and the allocators are called from there.
    """
    failed: list[Exception] = []

    def work() -> None:
        try:
            _complete(request)
        except Exception as error:  # the caller is waiting and gets it; the stream stays usable
            failed.append(error)

    device = request.context.engine.device
    device.submit(work, request.stream)
    try:
        device.wait(request.stream)
    except Exception as error:  # of earlier work on the stream
        failed.append(error)
    if failed:
        raise _refusal(failed[0])


def _refusal(error: Exception) -> Refused:
    return error if isinstance(error, Refused) else Refused("execution_failed", reason=first_line(error))


def _complete(request: Request) -> None:
    """Run, and hand out what the run has sized."""
    for name, value in _run(request).items():
        _deliver(request, name, value)


def _deliver(request: Request, name: str, value: object) -> None:
    allocator, shape, engine = request.allocators[name], tuple(value.shape()), request.context.engine
    size = engine.num_bytes(name, shape)
    current = request.addresses.get(name, 0)
    address = allocators.ask(allocator, name, current, allocators.round_up(size), request.stream)
    if size:
        engine.device.copy(address, value.data_ptr(), size, request.stream)
    allocators.tell(allocator, name, shape)
