"""The rules about shapes: which are allowed, and which follow from others. Contract: 12 to 30."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorrt_rtx as rtx

from .graph import ShapesDisagree
from .header import Shape, TensorSpec
from .model import Context, Engine
from .refusal import Refused


def check(engine: Engine, profile: int, name: str, asked: Shape) -> None:
    """Refuse a shape that this profile does not allow. Rank first, then static sizes, then the range.

    Only the active profile counts: TensorRT's guide says so, while its log line speaks of "any" profile and
    lists them all. The order of the checks is not documented either. Contract: 24 to 29.
    """
    if name not in engine.inputs:
        raise Refused("not_an_input", tensor=name)
    spec = engine.inputs[name]
    facts = {"tensor": name, "asked_dims": dims_text(asked), "engine_dims": dims_text(spec.shape)}
    if len(asked) != len(spec.shape):
        raise Refused("shape_wrong_rank", **facts, asked_rank=len(asked), engine_rank=len(spec.shape))
    if any(engine_size not in (-1, size) for engine_size, size in zip(spec.shape, asked, strict=True)):
        raise Refused("shape_static_mismatch", **facts)
    low, _, high = engine.profile(name, profile)
    if not all(a <= size <= b for a, size, b in zip(low, asked, high, strict=True)):
        raise Refused("shape_out_of_range", **facts, ranges=_ranges_text(engine, name))


def _ranges_text(engine: Engine, name: str) -> str:
    """TensorRT's words for the ranges. How it words several profiles is not public; we repeat the sentence."""
    ranges = [engine.profile(name, index) for index in range(len(engine.profiles))]
    return " ".join(
        f"Valid range for profile {index}: {dims_text(low)}..{dims_text(high)}."
        for index, (low, _, high) in enumerate(ranges)
    )


def dims_text(shape: Sequence[int]) -> str:
    """A shape as TensorRT's log writes it: ``[9,4]``."""
    return "[" + ",".join(str(d) for d in shape) + "]"


def known(engine: Engine, name: str) -> TensorSpec:
    """The I/O tensor of this name.

    Raises:
        Refused: there is none.
    """
    if name not in engine.specs:
        raise Refused("unknown_tensor", tensor=name)
    return engine.specs[name]


def known_profile(engine: Engine, index: int) -> int:
    """The index of a profile.

    Raises:
        Refused: there is no such profile.
    """
    if not 0 <= index < len(engine.profiles):
        raise Refused("profile_out_of_range", profile=index, count=len(engine.profiles))
    return index


def shape_values(context: Context, addresses: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The values of shape inputs, read now, for those that have a shape and an address. Contract: 20, 49."""
    found = {}
    for name in context.engine.shape_inputs:
        shape, address = context.input_shape(name), addresses.get(name, 0)
        if address and -1 not in shape:
            dtype = np.dtype(rtx.nptype(getattr(rtx.DataType, context.engine.inputs[name].dtype)))
            data = ctypes.string_at(address, math.prod(shape) * dtype.itemsize)
            found[name] = np.frombuffer(data, dtype).reshape(shape)
    return found


def tensor_shape(context: Context, name: str) -> Shape:
    """The shape of an I/O tensor in this context, -1 where it is not known yet.

    Raises:
        Refused: no such tensor, or an output of inputs that contradict each other.
    """
    known(context.engine, name)
    return context.input_shape(name) if name in context.engine.inputs else output_shape(context, name)


def output_shape(context: Context, name: str, largest: bool = False) -> Shape:
    """Known in full once every input that it is computed from is set. Contract: 14 to 16.

    Raises:
        Refused: the inputs contradict each other.
    """
    inputs, oracle, unset = context.input_shapes(), context.engine.output_shapes, context.unset()
    try:
        if oracle.depends_on(name, set(unset)):
            extremes = {n: context.engine.profile(n, context.profile)[::2] for n in unset}
            return oracle.so_far(name, inputs, extremes)
        return oracle.of(inputs, shape_values(context, context.addresses), largest)[name]
    except ShapesDisagree as error:
        raise Refused("shapes_disagree", reason=error) from None


def strides(shape: Shape) -> Shape:
    """Row-major strides in elements: (3, 4, 5) gives (20, 5, 1). Contract: 18."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
