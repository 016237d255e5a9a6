"""``infer``: one request from start to end, and its parts: prepare, execute, wait."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch

from .binding import (
    Tensors,
    fitting_inputs,
    fitting_outputs,
    input_shapes,
    set_addresses,
    set_input_shapes,
)
from .errors import TensorRTError, checked_stream, log_line, recognised
from .lanes import trt
from .log import first_error, logger
from .streams import Event, Stream
from .tensors import IOTensor, io_tensors


@dataclass
class _Kept:
    """What ``infer`` needs of a context for every request: asking again costs more than a small inference."""

    tensors: dict[str, IOTensor]
    stream: Stream | None = None
    busy: threading.Lock = field(default_factory=threading.Lock)


# Made at a context's first request and gone with it. A context works on one request at a time, so one stream is enough.
_kept: WeakKeyDictionary[trt.IExecutionContext, _Kept] = WeakKeyDictionary()


def _kept_of(context: trt.IExecutionContext) -> _Kept:
    if isinstance(context, trt.ICudaEngine):
        raise TypeError("infer takes an execution context, this is an engine: engine.create_execution_context()")
    if context not in _kept:
        _kept.setdefault(context, _Kept(io_tensors(context.engine)))
    return _kept[context]


def alone(context: trt.IExecutionContext) -> threading.Lock:
    """What to hold, in a ``with`` block, from a request's first call on the context to its last.

    A request is several calls, and another thread's in between would run it with the shapes of one request and the
    addresses of the other: TensorRT then reads and writes past the tensors' ends. Contract: 62.

    Raises:
        TensorRTError: another request is at work.
    """
    busy = _kept_of(context).busy
    # Of two threads that both find it free the second waits: that is right, too. Taking it with acquire(blocking=False)
    # would leave a moment in which Ctrl-C keeps it taken for ever.
    if busy.locked():
        raise TensorRTError("context_in_use")
    return busy


def infer(
    context: trt.IExecutionContext,
    inputs: Tensors,
    outputs: dict[str, torch.Tensor] | None = None,
    stream: Stream | None = None,
    *,
    convert: bool = False,
) -> dict[str, torch.Tensor]:
    """One inference from start to end: set shapes, allocate, bind, execute, wait.

    Parameters:
        inputs: a tensor for every input, by name.
        outputs: tensors to write into, from ``allocate_outputs``; default: fresh ones.
        stream: the stream to run on; default: one that belongs to the context.
        convert: cast, move and copy inputs that do not fit, and log a warning for each; default: refuse them.

    Returns:
        The outputs by name. They are complete: the stream has been synchronised.

    Raises:
        TensorRTError: anything that TensorRT or the checks above refuse, or another thread's request on this context.
            The context stays usable.
        TypeError: the context or the stream is something else, an engine or a handle, say.
    """
    check_stream(stream)
    with alone(context):
        inputs, outputs = prepare(context, inputs, outputs, convert)
        stream = own_stream(context) if stream is None else stream
        execute(context, stream, inputs, outputs)
        synchronize(stream)
    return outputs


def prepare(
    context: trt.IExecutionContext, inputs: Tensors, outputs: dict[str, torch.Tensor] | None, convert: bool
) -> tuple[Tensors, dict[str, torch.Tensor]]:
    """Check, set shapes, allocate and bind: all of ``infer`` before the execution. Returns what is bound."""
    known = _kept_of(context).tensors
    inputs = fitting_inputs(context.engine, known, inputs, convert)
    set_input_shapes(context, inputs)
    set_addresses(context, inputs)  # before the outputs: a shape input's value decides how large they are
    outputs = fitting_outputs(context, known, outputs)
    set_addresses(context, outputs)
    return inputs, outputs


def check_stream(stream: object) -> None:
    """Refuse what is neither a stream nor None, before anything is set for it."""
    if stream is not None:
        checked_stream(stream, Stream)


def own_stream(context: trt.IExecutionContext) -> Stream:
    """The stream that a context keeps for requests which bring none. A stream that failed stays so: it is replaced."""
    kept = _kept_of(context)
    try:
        if kept.stream is not None:
            kept.stream.query()
    except Exception:
        kept.stream = None
    kept.stream = kept.stream or Stream()
    return kept.stream


def execute(context: trt.IExecutionContext, stream: Stream, *bound: Tensors) -> None:
    """Enqueue one execution on a stream and return; the outputs are valid after ``stream.synchronize()``.

    Parameters:
        bound: the tensors whose addresses the context has. They live until the work is done, whatever interrupts the
            caller: the stream holds them before the call that enqueues.

    Raises:
        TensorRTError: a shape or an address is missing.
    """
    stream.wait_current()  # whoever filled the inputs must be done before the engine reads them
    owners = (tensor for tensors in bound for tensor in tensors.values())
    with logger.quietly() as messages, stream.holding(*owners):
        enqueued = context.execute_async_v3(stream.handle)
    if not enqueued:
        raise _execute_error(context, stream, first_error(messages))


def _execute_error(context: trt.IExecutionContext, stream: Stream, words: str) -> TensorRTError:
    named, reason = _named_tensor(words), words.partition("Execution failed (")[2].removesuffix(")")
    facts = {"tensor": named, "tensors": named, "shapes": input_shapes(context), "reason": reason}
    return recognised(words, "refused", handle=stream.handle, call="execute_async_v3(stream.handle)", **facts)


def _named_tensor(words: str) -> str:
    """The tensor that a line of ``enqueueV3`` complains about."""
    for before in ("input tensor ", "output tensor ", "are not specified: "):
        if before in words:
            return words.split(before, 1)[1].split(". ")[0].rstrip(".)")
    return "?"


def synchronize(stream: Stream | Event) -> None:
    """Wait for a stream, or for an event on it.

    Raises:
        TensorRTError: work on it failed. In the reference lane on the CPU only this stream is of no use any more;
            after an error of CUDA the whole process has to be restarted.
    """
    try:
        stream.synchronize()
    except KeyboardInterrupt:
        with suppress(Exception):  # the interrupt is told, not what failed meanwhile
            stream.synchronize()  # the work still writes tensors that the caller gave; who cannot wait interrupts again
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        words = log_line("execution_failed", method="enqueueV3", reason=reason)
        raise TensorRTError("execution_failed", words, reason=reason) from None
