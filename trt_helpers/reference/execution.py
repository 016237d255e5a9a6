"""What happens at ``execute_async_v3`` and ``execute_v2``: the checks in TensorRT's order, then the work.

Contract: B-7 (rules 54 to 65), B-9 (70, 71), B-10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorrt_rtx as rtx

from . import allocators
from .device import first_line
from .graph import ShapesDisagree
from .header import Shape
from .refusal import Refused
from .session import Buffer

if TYPE_CHECKING:
    from .context import IExecutionContext

USER_MANAGED = rtx.ExecutionContextAllocationStrategy.USER_MANAGED


@dataclass
class Request:
    """One execution, as it was when it was enqueued: later changes to the context do not reach it."""

    method: str
    stream: int
    inputs: dict[str, Shape]
    values: dict[str, np.ndarray]  # of shape inputs: copied now, so that their buffers may change afterwards
    outputs: dict[str, Shape]
    addresses: dict[str, int]
    allocators: dict[str, rtx.IOutputAllocator]


# ---- the checks --------------------------------------------------------------------------------------------


def prepare(context: IExecutionContext, method: str, stream: int, addresses: Mapping[str, int]) -> Request:
    """A request that may run.

    Raises:
        Refused: a shape is missing, there is no memory to work in, or the shapes contradict each other.
    """
    unset = context._unset()
    if unset:
        raise Refused("shapes_not_specified", tensors=", ".join(unset))
    if context._strategy == USER_MANAGED and not context._state.device_memory:
        raise Refused("no_device_memory")
    addresses = dict(addresses)
    try:
        inputs, values = context._input_shapes(), context._shape_values(addresses)
        outputs = context.engine._output_shapes.of(inputs, values)
    except ShapesDisagree as error:
        raise Refused("shapes_disagree", reason=error) from None
    return Request(method, stream, inputs, values, outputs, addresses, dict(context._state.allocators))


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


def enqueue(context: IExecutionContext, request: Request) -> None:
    """Put a request on its stream.

    Raises:
        Refused: no such stream or event, an allocator gave no memory, or (only if something had to be waited
            for) the execution failed.
    """
    device, event = context.engine._device, context._state.consumed_event
    device.check(request.stream, event)
    unsized = [name for name, shape in request.outputs.items() if -1 in shape]
    for name, allocator in request.allocators.items():
        if name not in unsized:
            _allocate(context, request, name, allocator)
    if unsized:
        _run_and_deliver(context, request, unsized)
    else:
        device.submit(_work(context, request), request.stream)
    if event:
        device.record(event, request.stream)


def run_to_end(context: IExecutionContext, request: Request) -> None:
    """Execute and wait. A failure is this caller's alone: the stream stays usable for others.

    Raises:
        Refused: as ``enqueue``, or the execution failed.
    """
    unsized = [name for name, shape in request.outputs.items() if -1 in shape]
    for name, allocator in request.allocators.items():
        if name not in unsized:
            _allocate(context, request, name, allocator)
    context.engine._device.drain(request.stream)
    try:
        _complete(context, request, unsized)
    except Exception as error:
        raise _refusal(error) from None


def _allocate(context: IExecutionContext, request: Request, name: str, allocator: rtx.IOutputAllocator) -> None:
    """Ask for memory and tell the shape; both happen before the call returns, and at every call."""
    shape = request.outputs[name]
    size = allocators.round_up(context.engine._bytes(name, shape))
    current = request.addresses.get(name, 0)
    request.addresses[name] = allocators.ask(allocator, name, current, size, request.stream)
    allocators.tell(allocator, name, shape)


def _run(context: IExecutionContext, request: Request, unsized: list[str]) -> dict:
    """Run; take the time if anybody wants to know it."""
    engine = context.engine
    inputs = [_buffer(engine, name, shape, request) for name, shape in request.inputs.items()]
    outputs = [_buffer(engine, n, shape, request) for n, shape in request.outputs.items() if n not in unsized]
    stop = engine._device.stopwatch(request.stream) if context.profiler is not None else None
    values = engine._sessions.run(inputs, outputs, unsized, request.stream)
    context._last_run_ms = stop() if stop else None
    return values


def _buffer(engine: object, name: str, shape: Shape, request: Request) -> Buffer:
    spec = engine._specs[name]
    # execute_v2 takes 0 for an empty input, ONNX Runtime does not; no byte of it is read.
    address = request.addresses[name] or engine._device.somewhere()
    if name in request.values:
        address = request.values[name].ctypes.data
    return Buffer(name, spec.onnx_type, shape, address, on_host=spec.is_shape_tensor)


def _work(context: IExecutionContext, request: Request) -> Callable[[], None]:
    """The piece of work for the stream. What fails is logged at once and stays the stream's error."""
    log = context._log.copy()

    def work() -> None:
        try:
            _run(context, request, [])
        except Exception as error:
            if context.engine._device.name == "cpu":  # on CUDA the caller is still there to be told
                log.error("execution_failed", method=request.method, reason=first_line(error))
            raise

    return work


def _run_and_deliver(context: IExecutionContext, request: Request, unsized: list[str]) -> None:
    """Run and wait. For outputs whose size depends on the data: ask the allocators, copy, tell the shapes.

    Their shape has to be known before the call returns (contract: 70, 71), so this call waits for the stream.
    The work is done in the stream's order, and the allocators are called from there.
    """
    failed: list[Exception] = []

    def work() -> None:
        try:
            _complete(context, request, unsized)
        except Exception as error:  # the caller is waiting and gets it; the stream stays usable
            failed.append(error)

    device = context.engine._device
    device.submit(work, request.stream)
    try:
        device.wait(request.stream)
    except Exception as error:  # of earlier work on the stream
        failed.append(error)
    if failed:
        raise _refusal(failed[0])


def _refusal(error: Exception) -> Refused:
    return error if isinstance(error, Refused) else Refused("execution_failed", reason=first_line(error))


def _complete(context: IExecutionContext, request: Request, unsized: list[str]) -> None:
    """Run, and hand out what the run has sized."""
    for name, value in _run(context, request, unsized).items():
        _deliver(context, request, name, value)


def _deliver(context: IExecutionContext, request: Request, name: str, value: object) -> None:
    allocator, shape = request.allocators[name], tuple(value.shape())
    size = context.engine._bytes(name, shape)
    current = request.addresses.get(name, 0)
    address = allocators.ask(allocator, name, current, allocators.round_up(size), request.stream)
    if size:
        context.engine._device.copy(address, value.data_ptr(), size, request.stream)
    allocators.tell(allocator, name, shape)


def byte_size(shape: Shape, itemsize: float) -> int:
    """Bytes of a tensor; ``itemsize`` is 0.5 for 4-bit types."""
    return math.ceil(math.prod(shape) * itemsize)
