"""The ONNX graph of a plan: made smaller for shape inference, and asked for shapes.

No shape inference of our own. When a plan is built, ONNX Runtime's symbolic inference writes each output
dimension as a formula of the input dimensions ("batch", "2*sequence"). When shapes are set, ONNX's inference
checks that they fit together. Both work on a copy of the graph without its large weights, which takes
milliseconds instead of half a second for a BERT.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, shape_inference

# Constants up to this many elements can be shapes, axes or repeats, which shape inference has to read.
_SMALL = 1024

Shape = tuple[int, ...]


class ShapesDisagree(Exception):
    """The input shapes contradict each other; the text is the shape inference's own."""


def strip_metadata(model: onnx.ModelProto) -> None:
    """Remove what exporters leave behind for debugging: it carries absolute paths of their machine."""
    del model.metadata_props[:]
    model.doc_string = ""
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        graph.doc_string = ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        for value in graph.value_info:
            del value.metadata_props[:]


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose large initializers are graph inputs of the same shape: enough to infer shapes."""
    small = onnx.ModelProto()
    small.ir_version = model.ir_version
    small.opset_import.extend(model.opset_import)
    small.functions.extend(model.functions)
    small.graph.name = model.graph.name
    small.graph.node.extend(model.graph.node)
    small.graph.input.extend(model.graph.input)
    for output in model.graph.output:
        # Only name and type: the exporter's symbolic shape would be taken for granted.
        small.graph.output.append(onnx.helper.make_tensor_value_info(output.name, _elem_type(output), None))
    known = {value.name for value in model.graph.input}
    for weight in model.graph.initializer:
        elements = 1
        for size in weight.dims:
            elements *= size
        if elements <= _SMALL:
            small.graph.initializer.append(weight)
        elif weight.name not in known:
            small.graph.input.append(
                onnx.helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims))
            )
    return small


def inputs_reaching(model: onnx.ModelProto, inputs: Sequence[str], output: str) -> set[str]:
    """Which graph inputs an output is computed from. Subgraphs count with everything that they mention."""
    producers = {name: node for node in model.graph.node for name in node.output}
    seen, todo, reached = set(), [output], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in inputs:
            reached.add(name)
        elif name in producers:
            todo.extend(_mentioned(producers[name]))
    return reached


def _mentioned(node: onnx.NodeProto) -> list[str]:
    names = list(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names.extend(_mentioned(inner))
    return names


def symbol(name: str, axis: int, dim_name: str = "") -> str:
    """What a run-time dimension of an input is called in formulas: its ONNX name, else one made up."""
    return dim_name if dim_name.isidentifier() else f"dim_{axis}_of_{''.join(c if c.isalnum() else '_' for c in name)}"


def formulas(model: onnx.ModelProto, inputs: Mapping[str, Sequence[int | str]]) -> dict[str, list[int | str]]:
    """Each output dimension as a number or a formula of the input dimensions; ``""`` if there is none.

    Parameters:
        inputs: for every input its shape, with a name for each run-time dimension.
    """
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    asked = _with_input_shapes(model, inputs)
    try:
        inferred = SymbolicShapeInference.infer_shapes(asked, auto_merge=True)
    except Exception:  # an operator that it does not know: the shapes stay those that ONNX can infer
        return {value.name: [] for value in model.graph.output}
    names = {size for shape in inputs.values() for size in shape if isinstance(size, str)}
    return {value.name: [_formula(dim, names) for dim in value.type.tensor_type.shape.dim] for value in inferred.graph.output}


def _formula(dim: onnx.TensorShapeProto.Dimension, names: set[str]) -> int | str:
    """Keep a formula only if it speaks of input dimensions alone: others stand for sizes known after the run."""
    if dim.HasField("dim_value"):
        return dim.dim_value
    try:
        evaluate(dim.dim_param, dict.fromkeys(names, 8))
    except (KeyError, ValueError, SyntaxError):
        return ""
    return dim.dim_param


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS = {"floor": math.floor, "ceiling": math.ceil, "Max": max, "Min": min, "Mod": operator.mod}


def evaluate(formula: str, sizes: Mapping[str, int]) -> int:
    """The value of a formula. Only arithmetic is understood: nothing in a plan is ever executed.

    Raises:
        KeyError: a name without a size. ValueError, SyntaxError: not arithmetic.
    """

    def value(node: ast.AST) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                return sizes[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -value(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*(value(arg) for arg in args))
        raise ValueError(f"not arithmetic: {ast.dump(node)}")

    return int(value(ast.parse(formula, mode="eval").body))


def _with_input_shapes(model: onnx.ModelProto, inputs: Mapping[str, Sequence[int | str]]) -> onnx.ModelProto:
    """A copy whose inputs have these shapes; -1 is a dimension about which nothing is known."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    for value in asked.graph.input:
        if value.name in inputs:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for size in inputs[value.name]:
                dim = shape.dim.add()
                if isinstance(size, str):
                    dim.dim_param = size
                elif size >= 0:
                    dim.dim_value = size
    return asked


def infer(model: onnx.ModelProto, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """Output shapes as ONNX infers them from input shapes; -1 is a dimension that is not known.

    Raises:
        ShapesDisagree: the shapes contradict each other.
    """
    asked = _with_input_shapes(model, inputs)
    try:
        inferred = shape_inference.infer_shapes(asked, strict_mode=True, data_prop=True)
    except Exception as error:  # onnx raises its own InferenceError, and RuntimeError for a broken graph
        raise ShapesDisagree(str(error).strip().splitlines()[-1]) from None
    return {value.name: _shape(value) for value in inferred.graph.output}


def _shape(value: onnx.ValueInfoProto) -> Shape:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return ()
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)


def _elem_type(value: onnx.ValueInfoProto) -> int:
    return value.type.tensor_type.elem_type or TensorProto.FLOAT
