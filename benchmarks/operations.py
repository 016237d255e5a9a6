"""How many operations an ONNX graph takes for given sizes: two for each product that is added up.

Counted are MatMul and Gemm, which is nearly all of a transformer. What else it does (softmax, GELU, normalisation)
counts as nothing, so it shows as a lower share of the machine's matrix-product rate.

The exporter writes the shape of every tensor into the graph, with names for the dimensions that are not fixed:
``(batch, 12, sequence, 32)`` or ``(batch*sequence, 384)``. Sizes are put in for the names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import onnx

Dims = tuple[int | str, ...]


class OperationCounter:
    """Counts for one graph.

    Raises:
        ValueError: the graph does not say what shape a factor or its product has, so that it would be missed.
    """

    def __init__(self, model: str | Path | onnx.ModelProto) -> None:
        graph = (model if isinstance(model, onnx.ModelProto) else onnx.load(model)).graph
        self._products = [_factors(node, _shapes(graph)) for node in graph.node if node.op_type in ("MatMul", "Gemm")]

    def __call__(self, **sizes: int) -> int:
        """Operations of one execution.

        Parameters:
            sizes: for each named dimension its size, for example ``batch=64, sequence=32, masks=64``.

        Raises:
            KeyError: a dimension has no size.
        """
        return sum(2 * math.prod(_size(dim, sizes) for dim in dims) for dims in self._products)


def _shapes(graph: onnx.GraphProto) -> dict[str, Dims]:
    shapes = {v.name: _dims(v) for v in (*graph.input, *graph.value_info, *graph.output)}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _dims(value: onnx.ValueInfoProto) -> Dims:
    return tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _factors(node: onnx.NodeProto, shapes: Mapping[str, Dims]) -> Dims:
    """What to multiply: the dimensions of the result, and the one that is summed over."""
    first, result = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    if not first or not result or 0 in (*first, *result):
        raise ValueError(f"the graph does not say the shapes of {node.op_type} '{node.name}': {first} -> {result}")
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return (*result, first[0 if transposed else -1])


def _size(dim: int | str, sizes: Mapping[str, int]) -> int:
    """``384``, ``"batch"`` or ``"batch*sequence"`` to a number."""
    return dim if isinstance(dim, int) else math.prod(sizes[name] for name in dim.split("*"))
