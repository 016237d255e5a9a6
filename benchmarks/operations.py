"""How many operations an ONNX graph takes for given input shapes: two for each product that is added up.

Counted are MatMul and Gemm, which is nearly all of a transformer. What else it does (softmax, GELU, normalisation)
counts as nothing, so it shows as a lower share of the machine's matrix-product rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import onnx

Shape = tuple[int, ...]
_SMALL = 1024  # elements: larger constants are weights, whose values no shape depends on


class OperationCounter:
    """Counts for one graph; what was counted for a combination of shapes is remembered."""

    def __init__(self, model: str | Path | onnx.ModelProto) -> None:
        self._model = _without_weights(model if isinstance(model, onnx.ModelProto) else onnx.load(model))
        self._counted: dict[tuple, int] = {}

    def __call__(self, inputs: Mapping[str, Shape]) -> int:
        """Operations of one execution.

        Parameters:
            inputs: the shape of every input.

        Raises:
            ValueError: a shape inside the graph cannot be worked out, so that its operations would be missed.
        """
        key = tuple(sorted(inputs.items()))
        if key not in self._counted:
            self._counted[key] = _count(_with_shapes(self._model, inputs))
        return self._counted[key]


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which weights are inputs: inference then carries megabytes less, and works out the same shapes."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    del light.graph.initializer[:], light.graph.value_info[:]
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            light.graph.initializer.append(tensor)
        else:
            info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            light.graph.input.append(info)
    return light


def _with_shapes(model: onnx.ModelProto, inputs: Mapping[str, Shape]) -> onnx.ModelProto:
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    for value in asked.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, inputs.get(value.name, ()), strict=False):
            dim.dim_value = size
    for value in asked.graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(asked, data_prop=True)


def _count(model: onnx.ModelProto) -> int:
    graph = model.graph
    shapes = {v.name: _shape(v) for v in (*graph.input, *graph.value_info, *graph.output)}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            first, result = (shapes.get(name, (0,)) for name in (node.input[0], node.output[0]))
            if 0 in (*first, *result):
                raise ValueError(f"the shapes of {node.op_type} '{node.name}' are not known: {first} -> {result}")
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            total += 2 * math.prod(result) * first[0 if transposed else -1]
    return total


def _shape(value: onnx.ValueInfoProto) -> Shape:
    """0 where a size is not known."""
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
