"""The rules about input shapes, one function each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorrt_rtx as rtx

from .bindings import _type_error, dims_text
from .graph import ShapesDisagree

if TYPE_CHECKING:
    from .context import IExecutionContext
    from .engine import ICudaEngine

Shape = tuple[int, ...]


def from_argument(context: IExecutionContext, name: str, shape: object) -> Shape:
    """The shape argument of ``set_input_shape`` as a tuple of ints, refused the way the bindings refuse it."""
    if not isinstance(name, str) or not isinstance(shape, Sequence | rtx.Dims) or isinstance(shape, str):
        raise _type_error(type(context).set_input_shape, (context, name, shape), {})
    for size in shape:
        if not hasattr(size, "__index__"):
            raise RuntimeError(f"Unable to cast Python instance of type {type(size)} to C++ type 'int'")
    return tuple(int(size) for size in shape)


def refusal(engine: ICudaEngine, profile: int, name: str, asked: Shape) -> tuple[str, dict] | None:
    """Why this input shape is not allowed under this profile, or None. Rank first, then static sizes, then range."""
    spec = engine._specs[name]
    if name not in engine._inputs:
        return "not_an_input", {"method": "setInputShape", "tensor": name}
    facts = {"tensor": name, "asked_dims": dims_text(asked), "engine_dims": dims_text(spec.shape)}
    if len(asked) != len(spec.shape):
        return "shape_wrong_rank", facts | {"asked_rank": len(asked), "engine_rank": len(spec.shape)}
    if any(engine_size not in (-1, size) for engine_size, size in zip(spec.shape, asked, strict=True)):
        return "shape_static_mismatch", facts
    low, _, high = engine._profile(name, profile)
    if not all(a <= size <= b for a, size, b in zip(low, asked, high, strict=True)):
        return "shape_out_of_range", facts | {"ranges": _ranges_text(engine, name)}
    return None


def _ranges_text(engine: ICudaEngine, name: str) -> str:
    """TensorRT's words for the ranges. How it words several profiles is not public; we repeat the sentence."""
    sentences = []
    for index in range(engine.num_optimization_profiles):
        low, _, high = engine._profile(name, index)
        sentences.append(f"Valid range for profile {index}: {dims_text(low)}..{dims_text(high)}.")
    return " ".join(sentences)


def forced(engine: ICudaEngine, profile: int, name: str) -> Shape:
    """The engine's shape of an input, with each dimension filled in that the profile leaves no choice for.

    There is no choice if min equals max, or if inputs that share an ONNX dimension name leave one common size.
    """
    spec = engine._inputs[name]
    low, _, high = engine._profile(name, profile)
    sizes = []
    for i, size in enumerate(spec.shape):
        smallest, largest = low[i], high[i]
        if size == -1 and spec.dim_names[i]:
            smallest, largest = _common_range(engine, profile, spec.dim_names[i])
        sizes.append(smallest if size == -1 and smallest == largest else size)
    return tuple(sizes)


def _common_range(engine: ICudaEngine, profile: int, dim_name: str) -> tuple[int, int]:
    """What all inputs with this dimension name allow together."""
    smallest, largest = 0, 2**31 - 1
    for spec in engine._inputs.values():
        low, _, high = engine._profile(spec.name, profile)
        for i, found in enumerate(spec.dim_names):
            if found == dim_name:
                smallest, largest = max(smallest, low[i]), min(largest, high[i])
    return smallest, largest


def check_shared_names(engine: ICudaEngine, inputs: dict[str, Shape]) -> None:
    """Inputs whose ONNX dimensions share a name must have the same size there.

    Raises:
        ShapesDisagree: they have not.
    """
    seen: dict[str, int] = {}
    for name, shape in inputs.items():
        for dim_name, size in zip(engine._inputs[name].dim_names, shape, strict=True):
            if not dim_name or size == -1:
                continue
            first = seen.setdefault(dim_name, size)
            if first != size:
                raise ShapesDisagree(
                    f"Dimensions with name {dim_name} must be equal. Condition '==' violated: {first} != {size}. "
                    f"Instruction: CHECK_EQUAL {first} {size}."
                )


def ask_allocator(allocator: rtx.IOutputAllocator, name: str, current: int, size: int, stream: int) -> int:
    """Call a Python output allocator; an exception in it counts as "no memory", as in TensorRT."""
    try:
        if hasattr(allocator, "reallocate_output_async"):
            return allocator.reallocate_output_async(name, current, size, 256, stream) or 0
        return allocator.reallocate_output(name, current, size, 256) or 0
    except Exception:
        return 0
