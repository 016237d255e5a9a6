"""The TensorRT 8 workflow in five functions, under the names and with the arguments that old code calls.

They work on views, and on the engines of a real TensorRT 8 (untested).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from ..binding import check_tensor
from ..engine import deserialised, save_plan
from ..errors import TensorRTError
from ..execution import alone, own_stream, synchronize
from ..lanes import device, trt
from ..log import first_error, logger
from ..streams import Stream
from ..tensors import IOTensor, to_torch_dtype
from .context import IExecutionContext
from .engine import ICudaEngine
from .namespace import Runtime

INT32 = torch.iinfo(torch.int32)


def get_binding_idxs(engine: ICudaEngine, profile_index: int) -> tuple[list[int], list[int]]:
    """The numbers of the input and of the output bindings of one profile.

    Three inputs and one output: ``([0, 1, 2], [3])`` in profile 0, ``([4, 5, 6], [7])`` in profile 1.
    """
    per_profile = engine.num_bindings // engine.num_optimization_profiles
    ours = range(profile_index * per_profile, (profile_index + 1) * per_profile)
    inputs = [binding for binding in ours if engine.binding_is_input(binding)]
    return inputs, [binding for binding in ours if binding not in inputs]


def get_output_tensors(
    context: IExecutionContext,
    host_inputs: Sequence[torch.Tensor],
    input_binding_idxs: Sequence[int],
    output_binding_idxs: Sequence[int],
) -> dict[str, torch.Tensor]:
    """Set the shapes of the inputs, then allocate the outputs, whose shapes the context has computed.

    Parameters:
        host_inputs: one tensor for each number in ``input_binding_idxs``; only its shape is looked at.

    Returns:
        Uninitialised tensors by name, without ``[profile k]``.

    Raises:
        TensorRTError: a shape is refused, or one is missing.
    """
    for binding, tensor in zip(input_binding_idxs, host_inputs, strict=True):
        with logger.quietly() as messages:
            accepted = context.set_binding_shape(binding, tuple(tensor.shape))
        if not accepted:
            call = f"set_binding_shape({binding}, {tuple(tensor.shape)})"
            raise TensorRTError("refused", first_error(messages), call=call)
    if not context.all_binding_shapes_specified:
        raise TensorRTError("shapes_not_specified", tensors="an input that is not in input_binding_idxs")
    outputs = {}
    for binding in output_binding_idxs:
        dtype = to_torch_dtype(context.engine.get_binding_dtype(binding))
        shape = tuple(context.get_binding_shape(binding))
        outputs[_tensor_name(context.engine, binding)] = torch.empty(shape, dtype=dtype, device=device)
    return outputs


def _tensor_name(engine: ICudaEngine, binding: int) -> str:
    """The binding's name in profile 0."""
    return engine.get_binding_name(binding % (engine.num_bindings // engine.num_optimization_profiles))


def infer_tensorrt(
    context: IExecutionContext,
    inputs: Mapping[str, torch.Tensor],
    input_binding_idxs: Sequence[int],
    output_binding_idxs: Sequence[int],
) -> dict[str, torch.Tensor]:
    """One inference in the profile that the numbers belong to, from inputs to finished outputs.

    int64 is cast to int32, and back, as the engine wants it; a warning says so.

    Parameters:
        inputs: a tensor for every input, by its name without ``[profile k]``.

    Raises:
        TensorRTError: an input is missing, does not fit, or TensorRT refuses something.
    """
    names = [_tensor_name(context.engine, binding) for binding in input_binding_idxs]
    missing = [name for name in names if name not in inputs]
    if missing:
        raise TensorRTError("inputs_missing", missing=", ".join(missing), known=", ".join(names))
    dtypes = [to_torch_dtype(context.engine.get_binding_dtype(binding)) for binding in input_binding_idxs]
    ordered = [_fitting(name, inputs[name], dtype) for name, dtype in zip(names, dtypes, strict=True)]
    with alone(context.real) if isinstance(context, IExecutionContext) else nullcontext():
        outputs = get_output_tensors(context, ordered, input_binding_idxs, output_binding_idxs)
        numbers, tensors = [*input_binding_idxs, *output_binding_idxs], [*ordered, *outputs.values()]
        _execute(context, dict(zip(numbers, tensors, strict=True)))
    return outputs


def _fitting(name: str, tensor: torch.Tensor, wanted: torch.dtype) -> torch.Tensor:
    """A tensor as the engine wants it; only whole numbers are cast, because only they lose nothing."""
    given = getattr(tensor, "dtype", None)
    cast = {given, wanted} == {torch.int32, torch.int64}
    check_tensor(name, tensor, IOTensor(True, given if cast else wanted, device.type))
    if not cast:
        return tensor
    if wanted == torch.int32 and tensor.numel() and not INT32.min <= tensor.min() <= tensor.max() <= INT32.max:
        facts = {"wanted": wanted, "min": int(tensor.min()), "max": int(tensor.max())}
        raise TensorRTError("int32_too_small", tensor=name, **facts)
    logger.log(trt.ILogger.Severity.WARNING, f"{name}: {tensor.dtype} -> {wanted}, because the engine wants it.")
    return tensor.to(wanted)


def _execute(context: IExecutionContext, tensors: Mapping[int, torch.Tensor]) -> None:
    """Enqueue, and wait, on a stream that waits for whoever filled the inputs.

    Parameters:
        tensors: by binding number, those of the active profile.
    """
    bindings = [0] * context.engine.num_bindings
    for binding, tensor in tensors.items():
        bindings[binding] = tensor.data_ptr()
    stream = own_stream(context.real) if isinstance(context, IExecutionContext) else Stream()
    stream.wait_current()
    with logger.quietly() as messages, stream.holding(*tensors.values()):
        enqueued = context.execute_async_v2(bindings, stream.handle)
    if not enqueued:
        call = "execute_async_v2(bindings, stream_handle)"
        raise TensorRTError("refused", first_error(messages), call=call)
    synchronize(stream)


# ---- files --------------------------------------------------------------------------------------------------


def save_engine(engine: ICudaEngine, engine_file_path: str | Path) -> None:
    """Serialise an engine into a file, whole or not at all. Today's ``save_plan`` takes the plan itself.

    Raises:
        TensorRTError: the engine could not be serialised.
    """
    plan = engine.serialize()
    if plan is None:
        raise TensorRTError("plan_copy_lost", logger.last_error, reason="serialize() returned None")
    save_plan(plan, engine_file_path)


def load_engine(runtime: Runtime, engine_file_path: str | Path) -> ICudaEngine:
    """An engine from a file, with TensorRT 8's members.

    This is the old function, runtime first, and the only one that the package does not export: there ``load_engine``
    is today's, which takes a plan or a file and makes its own runtime. Old code says
    ``from trt_helpers.legacy import load_engine``.

    Raises:
        TensorRTError: there is no such file, or TensorRT returned None.
    """
    return deserialised(runtime, Path(engine_file_path))
