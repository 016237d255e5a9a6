"""Run an engine: set shapes, allocate, bind, execute. Every ``False`` of TensorRT becomes a ``TensorRTError``."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .backend import device, trt
from .engine import logger
from .errors import TensorRTError, log_line, recognise
from .streams import Stream
from .tensors import input_names, output_names, tensor_names, to_torch_dtype

Tensors = Mapping[str, torch.Tensor]


def set_input_shapes(context: trt.IExecutionContext, inputs: Mapping[str, torch.Tensor | tuple[int, ...]]) -> None:
    """Tell the context how big each input is.

    Parameters:
        inputs: for each input a tensor, or just its shape.

    Raises:
        TensorRTError: the name is unknown, or the shape is not allowed under the active profile. The context
            keeps its old shape and stays usable.
    """
    for name, value in inputs.items():
        shape = tuple(value.shape if isinstance(value, torch.Tensor) else value)
        with logger.quietly() as messages:
            accepted = context.set_input_shape(name, shape)
        if not accepted:
            raise _shape_error(context, name, shape, _words(messages))


def _words(messages: list) -> str:
    """TensorRT's own line among what was just logged; empty if it went to another logger."""
    return next((m.text for m in messages if m.severity in "FE"), "")


def _shape_error(context: trt.IExecutionContext, name: str, asked: tuple, words: str) -> TensorRTError:
    engine = context.engine
    if name not in input_names(engine):
        return _name_error(engine, name, words)
    engine_shape = tuple(engine.get_tensor_shape(name))
    facts = {"tensor": name, "asked": asked, "engine": engine_shape}
    if len(asked) != len(engine_shape):
        return TensorRTError("shape_wrong_rank", words, **facts, asked_rank=len(asked), engine_rank=len(engine_shape))
    for i, (have, want) in enumerate(zip(asked, engine_shape, strict=True)):
        if want not in (-1, have):
            detail = f"Dimension {i} must be {want}, not {have}."
            return TensorRTError("shape_static_mismatch", words, **facts, detail=detail)
    profile = context.active_optimization_profile
    low, _, high = (tuple(s) for s in engine.get_tensor_profile_shape(name, profile))
    detail = _out_of_range_detail(asked, low, high)
    return TensorRTError("shape_out_of_range", words, **facts, profile=profile, min=low, max=high, detail=detail)


def _name_error(engine: trt.ICudaEngine, name: str, words: str) -> TensorRTError:
    if name in output_names(engine):
        return TensorRTError("not_an_input", words, tensor=name)
    return TensorRTError("unknown_tensor", words, kind="input", tensor=name, known=", ".join(input_names(engine)))


def _out_of_range_detail(asked: tuple, low: tuple, high: tuple) -> str:
    for i, (size, smallest, largest) in enumerate(zip(asked, low, high, strict=True)):
        if size < smallest:
            return f"{size} is less than {smallest} in dimension {i}."
        if size > largest:
            return f"{size} is more than {largest} in dimension {i}."
    return ""


def allocate_outputs(context: trt.IExecutionContext) -> dict[str, torch.Tensor]:
    """Fresh tensors for all outputs: shapes from the context, dtypes from the engine, on the lane's device.

    Call it after the input shapes are set.

    Raises:
        TensorRTError: an input shape is missing, the shapes disagree, or an output's size depends on the data.
    """
    _check_specified(context)
    outputs = {}
    for name in output_names(context.engine):
        shape = tuple(context.get_tensor_shape(name))
        if -1 in shape:
            raise TensorRTError("output_shape_unknown", tensor=name, shape=shape)
        outputs[name] = torch.empty(shape, dtype=to_torch_dtype(context.engine.get_tensor_dtype(name)), device=device)
    return outputs


def _check_specified(context: trt.IExecutionContext) -> None:
    with logger.quietly() as messages:
        try:
            missing = context.infer_shapes()
        except RuntimeError:
            shapes = {n: tuple(context.get_tensor_shape(n)) for n in input_names(context.engine)}
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise TensorRTError("shapes_disagree", _words(messages), shapes=listed) from None
    missing = [n for n in missing if not context.engine.is_shape_inference_io(n)]
    if missing:
        raise TensorRTError("shapes_not_specified", tensors=", ".join(missing))


def bind(context: trt.IExecutionContext, tensors: Tensors) -> None:
    """Give the context the addresses of these tensors.

    TensorRT keeps addresses, not tensors: keep the tensors alive until the work is done.

    Raises:
        TensorRTError: an unknown name; a wrong dtype, device or memory layout, which TensorRT would not notice.
    """
    for name, tensor in tensors.items():
        if name not in tensor_names(context.engine):
            known = ", ".join(tensor_names(context.engine))
            raise TensorRTError("unknown_tensor", kind="tensor", tensor=name, known=known)
        _check_tensor(context.engine, name, tensor)
        # An empty tensor has address 0, which TensorRT takes for "not set": any other address will do.
        address = tensor.data_ptr() or _placeholder().data_ptr()
        if not context.set_tensor_address(name, address):
            raise TensorRTError("refused", logger.last_error, call=f"set_tensor_address({name!r}, ...)")


_placeholders: list[torch.Tensor] = []


def _placeholder() -> torch.Tensor:
    if not _placeholders:
        _placeholders.append(torch.empty(512, dtype=torch.uint8, device=device))
    return _placeholders[0]


def _check_tensor(engine: trt.ICudaEngine, name: str, tensor: torch.Tensor) -> None:
    """What no address can show, so that TensorRT never complains about it."""
    if not isinstance(tensor, torch.Tensor):
        raise TensorRTError("not_a_tensor", tensor=name, asked=type(tensor).__name__)
    wanted = to_torch_dtype(engine.get_tensor_dtype(name))
    if tensor.dtype != wanted:
        raise TensorRTError("wrong_dtype", tensor=name, asked=tensor.dtype, wanted=wanted)
    where = _device_of(engine, name)
    if tensor.device.type != where:
        raise TensorRTError("wrong_device", tensor=name, asked=tensor.device.type, wanted=where)
    if not tensor.is_contiguous():
        asked, strides = tuple(tensor.shape), tuple(tensor.stride())
        raise TensorRTError("not_contiguous", tensor=name, asked=asked, strides=strides)


def _device_of(engine: trt.ICudaEngine, name: str) -> str:
    """Shape inputs live on the host in every lane."""
    return "cpu" if engine.get_tensor_location(name) == trt.TensorLocation.HOST else device.type


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
        stream: the stream to run on; default: a fresh one.
        convert: cast, move and copy inputs that do not fit, and log a warning for each; default: refuse them.

    Returns:
        The outputs by name. They are complete: the stream has been synchronised.

    Raises:
        TensorRTError: anything that TensorRT or the checks above refuse. The context stays usable.
    """
    engine = context.engine
    _check_names(engine, inputs)
    if convert:
        inputs = {name: _converted(engine, name, tensor) for name, tensor in inputs.items()}
    for name, tensor in inputs.items():
        _check_tensor(engine, name, tensor)
    set_input_shapes(context, inputs)
    if outputs is None:
        outputs = allocate_outputs(context)
    else:
        _check_outputs(context, outputs)
    bind(context, inputs)
    bind(context, outputs)
    stream = stream or Stream()
    execute(context, stream)
    synchronize(stream)
    return outputs


def _check_names(engine: trt.ICudaEngine, inputs: Tensors) -> None:
    known = input_names(engine)
    extra = [name for name in inputs if name not in known]
    if extra:
        raise _name_error(engine, extra[0], "")
    missing = [name for name in known if name not in inputs]
    if missing:
        raise TensorRTError("inputs_missing", missing=", ".join(missing), known=", ".join(known))


def _converted(engine: trt.ICudaEngine, name: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = torch.as_tensor(tensor)
    wanted, where = to_torch_dtype(engine.get_tensor_dtype(name)), _device_of(engine, name)
    fitting = tensor.to(dtype=wanted, device=where).contiguous()
    if fitting is not tensor:
        before, after = f"{tensor.dtype} on {tensor.device.type}", f"{wanted} on {where}"
        what = "made contiguous" if before == after else f"{before} -> {after}"
        logger.log(trt.ILogger.Severity.WARNING, f"{name}: {what}, because convert=True.")
    return fitting


def _check_outputs(context: trt.IExecutionContext, outputs: Tensors) -> None:
    """A tensor of the wrong size would be written past its end."""
    _check_specified(context)
    for name in output_names(context.engine):
        if name not in outputs:
            raise TensorRTError("output_address_missing", tensor=name)
        wanted, asked = tuple(context.get_tensor_shape(name)), tuple(outputs[name].shape)
        if wanted != asked:
            raise TensorRTError("output_does_not_fit", tensor=name, asked=asked, wanted=wanted)


def execute(context: trt.IExecutionContext, stream: Stream) -> None:
    """Enqueue one execution on a stream and return; the outputs are valid after ``stream.synchronize()``.

    Raises:
        TensorRTError: a shape or an address is missing.
    """
    if device.type == "cuda":  # whoever filled the inputs must be done before the engine reads them
        stream.torch_stream.wait_stream(torch.cuda.current_stream())
    with logger.quietly() as messages:
        enqueued = context.execute_async_v3(stream.handle)
    if not enqueued:
        words = _words(messages)
        refusal = recognise(words)
        facts = {"tensor": _named_tensor(words), "tensors": _named_tensor(words), "method": "enqueueV3"}
        if refusal and refusal.key in ("input_address_missing", "output_address_missing", "shapes_not_specified"):
            raise TensorRTError(refusal.key, words, **facts)
        raise TensorRTError("refused", words, call="execute_async_v3(stream.handle)")


def _named_tensor(words: str) -> str:
    """The tensor that a line of ``enqueueV3`` complains about."""
    for before in ("input tensor ", "output tensor ", "are not specified: "):
        if before in words:
            return words.split(before, 1)[1].split(". ")[0].rstrip(".)")
    return "?"


def synchronize(stream: Stream) -> None:
    """Wait for a stream.

    Raises:
        TensorRTError: work on it failed. The stream is of no use any more; the engine is.
    """
    try:
        stream.synchronize()
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        words = log_line("execution_failed", method="enqueueV3", reason=reason)
        raise TensorRTError("execution_failed", words, reason=reason) from None
