"""What a context is told before it executes: its profile, shapes, and addresses. What is wrong is refused before.

Every ``False`` of TensorRT becomes a ``TensorRTError``, and so does what no address can show.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import cache

import torch

from .errors import TensorRTError
from .lanes import device, trt
from .log import first_error, logger
from .streams import Stream
from .tensors import IOTensor, input_names, io_tensors, output_names

Shape = tuple[int, ...]
Tensors = Mapping[str, torch.Tensor]


def context_on_profile(engine: trt.ICudaEngine, profile: int, stream: Stream) -> trt.IExecutionContext:
    """A fresh context, once the switch to that profile is done.

    Parameters:
        stream: what the switch is made on, and waited for.

    Raises:
        RuntimeError: there is no such profile; TensorRT's own error.
    """
    context = engine.create_execution_context()
    if profile:  # every context starts on 0
        context.set_optimization_profile_async(profile, stream.handle)
        stream.synchronize()
    return context


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
    return fitting_outputs(context, io_tensors(context.engine), None)


def _output_shapes(context: trt.IExecutionContext) -> dict[str, Shape]:
    """The size of each output, once all input shapes are set."""
    with logger.quietly() as messages:
        try:
            missing = context.infer_shapes()
        except RuntimeError:
            words = first_error(messages)
            raise TensorRTError("shapes_disagree", words, shapes=input_shapes(context)) from None
    if missing:
        raise TensorRTError("shapes_not_specified", tensors=", ".join(missing))
    shapes = {name: tuple(context.get_tensor_shape(name)) for name in output_names(context.engine)}
    for name, shape in shapes.items():
        if -1 in shape:
            raise TensorRTError("output_shape_unknown", tensor=name, shape=shape)
    return shapes


def input_shapes(context: trt.IExecutionContext) -> str:
    """The shapes that the inputs have now, in words."""
    names = input_names(context.engine)
    return ", ".join(f"{name} {tuple(context.get_tensor_shape(name))}" for name in names)


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
        check_tensor(name, tensor, known[name])
    set_addresses(context, tensors)


def set_addresses(context: trt.IExecutionContext, tensors: Tensors) -> None:
    """``bind`` for tensors that are known to fit."""
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


def check_tensor(name: str, tensor: torch.Tensor, wanted: IOTensor) -> None:
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


# ---- a whole request ----------------------------------------------------------------------------------------


def fitting_inputs(engine: trt.ICudaEngine, known: Mapping[str, IOTensor], inputs: Tensors, convert: bool) -> Tensors:
    """The inputs, if they are those of the engine, and each as it must be to be bound.

    Parameters:
        convert: cast, move and copy what does not fit; default: refuse it.
    """
    wanted = [name for name, tensor in known.items() if tensor.is_input]
    extra = [name for name in inputs if name not in wanted]
    if extra:
        raise _name_error(engine, extra[0])
    missing = [name for name in wanted if name not in inputs]
    if missing:
        raise TensorRTError("inputs_missing", missing=", ".join(missing), known=", ".join(wanted))
    if convert:
        inputs = {name: _converted(name, tensor, known[name]) for name, tensor in inputs.items()}
    for name, tensor in inputs.items():
        check_tensor(name, tensor, known[name])
    return inputs


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


def fitting_outputs(
    context: trt.IExecutionContext, known: Mapping[str, IOTensor], outputs: dict[str, torch.Tensor] | None
) -> dict[str, torch.Tensor]:
    """These outputs, if they are of the right size, or fresh ones for None.

    A tensor that is too small would be written past its end, and no address shows its size.
    """
    shapes = _output_shapes(context)
    if outputs is None:
        return {n: torch.empty(s, dtype=known[n].dtype, device=known[n].device) for n, s in shapes.items()}
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
    return outputs
