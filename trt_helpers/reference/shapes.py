"""The rules about input shapes, one function each. Contract: B-3 and B-4."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorrt_rtx as rtx

from .bindings import MAX_DIMS, dims_text, type_error
from .header import Shape, TensorSpec
from .refusal import Refused

if TYPE_CHECKING:
    from .context import IExecutionContext
    from .engine import ICudaEngine


def from_argument(context: IExecutionContext, name: object, shape: object) -> Shape:
    """The shape argument of ``set_input_shape`` as a tuple of ints, refused the way the bindings refuse it.

    Tuples and lists go through int32 one by one, ``Dims`` and other sequences as a whole. Contract: A.3, 3.

    Raises:
        TypeError: no sequence. RuntimeError: not integers, or more than 8.
    """
    if not isinstance(name, str | bytes) or not isinstance(shape, Sequence | rtx.Dims | np.ndarray):
        raise type_error(context, "set_input_shape", (name, shape))
    if isinstance(shape, str | bytes):
        raise type_error(context, "set_input_shape", (name, shape))
    if len(shape) > MAX_DIMS:
        raise RuntimeError("The number of input dims exceeds the maximum allowed number of dimensions")
    return tuple(_as_int32(size) for size in shape)


def _as_int32(size: object) -> int:
    if not hasattr(size, "__index__") or not -(2**31) <= int(size) < 2**31:
        raise RuntimeError(f"Unable to cast Python instance of type {type(size)} to C++ type 'int'")
    return int(size)


def check(engine: ICudaEngine, profile: int, name: str, asked: Shape) -> None:
    """Refuse a shape that this profile does not allow. Rank first, then static sizes, then the range.

    Only the active profile counts: TensorRT's guide says so, while its log line speaks of "any" profile and
    lists them all. The order of the checks is not documented either. Contract: 24 to 29.
    """
    if name not in engine._inputs:
        raise Refused("not_an_input", tensor=name)
    spec = engine._inputs[name]
    facts = {"tensor": name, "asked_dims": dims_text(asked), "engine_dims": dims_text(spec.shape)}
    if len(asked) != len(spec.shape):
        raise Refused("shape_wrong_rank", **facts, asked_rank=len(asked), engine_rank=len(spec.shape))
    if any(engine_size not in (-1, size) for engine_size, size in zip(spec.shape, asked, strict=True)):
        raise Refused("shape_static_mismatch", **facts)
    low, _, high = engine._profile(name, profile)
    if not all(a <= size <= b for a, size, b in zip(low, asked, high, strict=True)):
        raise Refused("shape_out_of_range", **facts, ranges=_ranges_text(engine, name))


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
    Contract: 13.
    """
    spec = engine._inputs[name]
    low, _, high = engine._profile(name, profile)
    sizes = []
    for i, size in enumerate(spec.shape):
        smallest, largest = low[i], high[i]
        if size == -1 and spec.dim_names and spec.dim_names[i]:
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


def value_at(spec: TensorSpec, shape: Shape, address: int) -> np.ndarray:
    """The value of a shape input, read from host memory now. Contract: 20, 49."""
    dtype = np.dtype(rtx.nptype(getattr(rtx.DataType, spec.dtype)))
    data = ctypes.string_at(address, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape)


def strides(shape: Shape) -> Shape:
    """Row-major strides in elements: (3, 4, 5) gives (20, 5, 1). Contract: 18."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
