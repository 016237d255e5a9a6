"""Run an engine: set shapes, allocate, bind, execute. Every ``False`` of TensorRT becomes a ``TensorRTError``."""

from __future__ import annotations

import operator
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from weakref import WeakKeyDictionary

import torch

from .errors import TensorRTError, checked_stream, log_line, recognise
from .lanes import device, trt
from .log import first_error, logger
from .streams import Event, Stream
from .tensors import IOTensor, input_names, io_tensors, output_names

Shape = tuple[int, ...]
Tensors = Mapping[str, torch.Tensor]


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


# ---- shapes -------------------------------------------------------------------------------------------------


def set_input_shapes(context: trt.IExecutionContext, inputs: Mapping[str, torch.Tensor | Shape]) -> None:
    """Tell the context how big each input is.

    Parameters:
        inputs: for each input a tensor, or just its shape.

    Raises:
        TensorRTError: the name is unknown, or the shape is not allowed under the active profile. That input keeps
            its old shape, and the context stays usable.
    """
    for name, value in inputs.items():
        shape = _as_shape(name, value)
        words = ""
        with logger.quietly() as messages:
            try:
                accepted = context.set_input_shape(name, shape)
            except RuntimeError as error:  # more dimensions than TensorRT has, or a size beyond 32 bits
                accepted, words = False, str(error)
        if not accepted:
            raise _shape_error(context, name, shape, words or first_error(messages))


def _as_shape(name: str, value: object) -> Shape:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    try:
        return tuple(operator.index(size) for size in value)
    except TypeError:
        raise TensorRTError("not_a_shape", tensor=name, asked=repr(value)) from None


def _shape_error(context: trt.IExecutionContext, name: str, asked: Shape, words: str) -> TensorRTError:
    engine = context.engine
    if name not in input_names(engine):
        return _name_error(engine, name, words)
    wanted = tuple(engine.get_tensor_shape(name))
    facts = {"tensor": name, "asked": asked, "engine": wanted}
    if len(asked) != len(wanted):
        ranks = {"asked_rank": len(asked), "engine_rank": len(wanted)}
        return TensorRTError("shape_wrong_rank", words, **facts, **ranks)
    for i, (have, want) in enumerate(zip(asked, wanted, strict=True)):
        if want not in (-1, have):
            detail = f"Dimension {i} must be {want}, not {have}."
            return TensorRTError("shape_static_mismatch", words, **facts, detail=detail)
    profile = context.active_optimization_profile
    low, _, high = (tuple(s) for s in engine.get_tensor_profile_shape(name, profile))
    detail = _out_of_range_detail(asked, low, high)
    allowed = {"profile": profile, "min": low, "max": high}
    return TensorRTError("shape_out_of_range", words, **facts, **allowed, detail=detail)


def _name_error(engine: trt.ICudaEngine, name: str, words: str = "") -> TensorRTError:
    """A name that is no input: an output, or nothing at all."""
    if name in output_names(engine):
        return TensorRTError("not_an_input", words, tensor=name)
    known = ", ".join(input_names(engine))
    return TensorRTError("unknown_tensor", words, kind="input", tensor=name, known=known)


def _out_of_range_detail(asked: Shape, low: Shape, high: Shape) -> str:
    for i, (size, smallest, largest) in enumerate(zip(asked, low, high, strict=True)):
        if size < smallest:
            return f"{size} is less than {smallest} in dimension {i}."
        if size > largest:
            return f"{size} is more than {largest} in dimension {i}."
    return ""


# ---- outputs and addresses ----------------------------------------------------------------------------------


def allocate_outputs(context: trt.IExecutionContext) -> dict[str, torch.Tensor]:
    """Fresh tensors for all outputs: shapes from the context, dtype and place (device or host) from the engine.

    Call it after the input shapes are set, and the addresses of inputs whose values are shapes.

    Raises:
        TensorRTError: an input shape is missing, the shapes disagree, or an output's size depends on the data.
    """
    known = io_tensors(context.engine)
    return {
        name: torch.empty(shape, dtype=known[name].dtype, device=known[name].device)
        for name, shape in _output_shapes(context).items()
    }


def _output_shapes(context: trt.IExecutionContext) -> dict[str, Shape]:
    """The size of each output, once all input shapes are set."""
    _check_specified(context)
    shapes = {name: tuple(context.get_tensor_shape(name)) for name in output_names(context.engine)}
    for name, shape in shapes.items():
        if -1 in shape:
            raise TensorRTError("output_shape_unknown", tensor=name, shape=shape)
    return shapes


def _check_specified(context: trt.IExecutionContext) -> None:
    with logger.quietly() as messages:
        try:
            missing = context.infer_shapes()
        except RuntimeError:
            raise _disagreement(context, first_error(messages)) from None
    if missing:
        raise TensorRTError("shapes_not_specified", tensors=", ".join(missing))


def _disagreement(context: trt.IExecutionContext, words: str) -> TensorRTError:
    names = input_names(context.engine)
    shapes = ", ".join(f"{name} {tuple(context.get_tensor_shape(name))}" for name in names)
    return TensorRTError("shapes_disagree", words, shapes=shapes)


def bind(context: trt.IExecutionContext, tensors: Tensors) -> None:
    """Give the context the addresses of these tensors.

    TensorRT keeps addresses, not tensors: keep the tensors alive until the work is done.

    Raises:
        TensorRTError: an unknown name; a wrong dtype, device or memory layout, which TensorRT would not notice.
    """
    known = io_tensors(context.engine)
    for name, tensor in tensors.items():
        if name not in known:
            raise TensorRTError("unknown_tensor", kind="tensor", tensor=name, known=", ".join(known))
        _check_tensor(name, tensor, known[name])
    _set_addresses(context, tensors)


def _set_addresses(context: trt.IExecutionContext, tensors: Tensors) -> None:
    with logger.quietly() as messages:
        for name, tensor in tensors.items():
            # An empty tensor has address 0, which TensorRT takes for "not set": any other address will do.
            if not context.set_tensor_address(name, tensor.data_ptr() or _somewhere().data_ptr()):
                call = f"set_tensor_address({name!r}, ...)"
                raise TensorRTError("refused", first_error(messages), call=call)


@cache
def _somewhere() -> torch.Tensor:
    """A little memory that nobody reads or writes: only its address is wanted."""
    return torch.empty(512, dtype=torch.uint8, device=device)


def _check_tensor(name: str, tensor: torch.Tensor, wanted: IOTensor) -> None:
    """What no address can show, so that TensorRT never complains about it."""
    if not isinstance(tensor, torch.Tensor):
        raise TensorRTError("not_a_tensor", tensor=name, asked=type(tensor).__name__)
    if tensor.dtype != wanted.dtype:
        raise TensorRTError("wrong_dtype", tensor=name, asked=tensor.dtype, wanted=wanted.dtype)
    if tensor.device.type != wanted.device:
        raise TensorRTError("wrong_device", tensor=name, asked=tensor.device.type, wanted=wanted.device)
    if not tensor.is_contiguous():
        asked, strides = tuple(tensor.shape), tuple(tensor.stride())
        raise TensorRTError("not_contiguous", tensor=name, asked=asked, strides=strides)


# ---- inference ----------------------------------------------------------------------------------------------


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
    _check_names(context.engine, known, inputs)
    if convert:
        inputs = {name: _converted(name, tensor, known[name]) for name, tensor in inputs.items()}
    for name, tensor in inputs.items():
        _check_tensor(name, tensor, known[name])
    set_input_shapes(context, inputs)
    _set_addresses(context, inputs)  # before the outputs: a shape input's value decides how large they are
    if outputs is None:
        outputs = allocate_outputs(context)
    else:
        _check_outputs(context, known, outputs)
    _set_addresses(context, outputs)
    return inputs, outputs


def _check_names(engine: trt.ICudaEngine, known: Mapping[str, IOTensor], inputs: Tensors) -> None:
    wanted = [name for name, tensor in known.items() if tensor.is_input]
    extra = [name for name in inputs if name not in wanted]
    if extra:
        raise _name_error(engine, extra[0])
    missing = [name for name in wanted if name not in inputs]
    if missing:
        raise TensorRTError("inputs_missing", missing=", ".join(missing), known=", ".join(wanted))


def _converted(name: str, value: object, wanted: IOTensor) -> torch.Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise TensorRTError("not_a_tensor", tensor=name, asked=type(value).__name__) from None
    fitting = tensor.to(dtype=wanted.dtype, device=wanted.device).contiguous()
    if fitting is value:
        return fitting
    after = f"{wanted.dtype} on {wanted.device}"
    before = type(value).__name__
    if isinstance(value, torch.Tensor):
        before = f"{value.dtype} on {value.device.type}"
    what = "made contiguous" if before == after else f"{before} -> {after}"
    logger.log(trt.ILogger.Severity.WARNING, f"{name}: {what}, because convert=True.")
    return fitting


def _check_outputs(context: trt.IExecutionContext, known: Mapping[str, IOTensor], outputs: Tensors) -> None:
    """A tensor that is too small would be written past its end, and no address shows its size."""
    shapes = _output_shapes(context)
    for name in outputs:
        if name not in shapes:
            raise TensorRTError("unknown_tensor", kind="output", tensor=name, known=", ".join(shapes))
    for name, shape in shapes.items():
        if name not in outputs:
            raise TensorRTError("output_address_missing", tensor=name)
        tensor, wanted = outputs[name], known[name]
        if not isinstance(tensor, torch.Tensor):
            raise TensorRTError("not_a_tensor", tensor=name, asked=type(tensor).__name__)
        fits = tuple(tensor.shape) == shape and tensor.dtype == wanted.dtype and tensor.is_contiguous()
        if not fits or tensor.device.type != wanted.device:
            layout = "" if tensor.is_contiguous() else ", not contiguous"
            asked = f"{tuple(tensor.shape)} {tensor.dtype} on {tensor.device.type}{layout}"
            described = f"{shape} {wanted.dtype} on {wanted.device}"
            raise TensorRTError("output_does_not_fit", tensor=name, asked=asked, wanted=described)


def check_stream(stream: object) -> None:
    """Refuse what is neither a stream nor None, before anything is set for it."""
    if stream is not None:
        checked_stream(stream, Stream)


def own_stream(context: trt.IExecutionContext) -> Stream:
    """The stream that a context keeps for requests which bring none. A stream that failed stays so: it is replaced."""
    kept = _kept[context]
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
    if device.type == "cuda":  # whoever filled the inputs must be done before the engine reads them
        stream.torch_stream.wait_stream(torch.cuda.current_stream())
    owners = (tensor for tensors in bound for tensor in tensors.values())
    with logger.quietly() as messages, stream.holding(*owners):
        enqueued = context.execute_async_v3(stream.handle)
    if not enqueued:
        raise _execute_error(context, stream, first_error(messages))


def _execute_error(context: trt.IExecutionContext, stream: Stream, words: str) -> TensorRTError:
    refusal = recognise(words)
    if refusal and refusal.key == "shapes_disagree":
        return _disagreement(context, words)
    named = _named_tensor(words)
    reason = words.partition("Execution failed (")[2].removesuffix(")")
    facts = {"tensor": named, "tensors": named, "handle": stream.handle, "reason": reason}
    if refusal is None or not refusal.needs <= facts.keys():
        return TensorRTError("refused", words, call="execute_async_v3(stream.handle)")
    return TensorRTError(refusal.key, words, **{name: facts[name] for name in refusal.needs})


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
