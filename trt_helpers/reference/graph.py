"""The ONNX graph of a plan: made smaller for shape inference, and asked for shapes.

No shape inference of our own. When a plan is built, ONNX Runtime's symbolic inference writes each output
dimension as a formula of the input dimensions ("batch", "2*sequence"). When shapes are set, ONNX's inference
checks that they fit together. Both work on a copy of the graph without its large weights, which takes
milliseconds instead of half a second for a BERT.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper, shape_inference

from .formula import evaluate

# Constants up to this many elements can be shapes, axes or repeats, which shape inference has to read.
_SMALL = 1024

Shape = tuple[int, ...]

# ONNX's element types and the names of TensorRT's data types for the same bits. There is none for DOUBLE.
DTYPES = {
    TensorProto.FLOAT: "FLOAT",
    TensorProto.FLOAT16: "HALF",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.FLOAT8E4M3FN: "FP8",
    TensorProto.INT8: "INT8",
    TensorProto.UINT8: "UINT8",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.BOOL: "BOOL",
}


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


def sort_nodes(model: onnx.ModelProto) -> None:
    """Bring the nodes into the order that ONNX asks for. Converters do not always; NVIDIA's parser does not mind."""
    known = {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for node in model.graph.node:
        if any(name and name not in known for name in node.input):
            from onnxruntime.transformers.onnx_model import OnnxModel

            return OnnxModel.graph_topological_sort(model.graph)
        known.update(node.output)


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
        if math.prod(weight.dims) <= _SMALL:
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


def named_shape(name: str, shape: Shape, dim_names: Sequence[str]) -> list[int | str]:
    """An input's shape with a name for each run-time dimension."""
    sizes = enumerate(zip(shape, dim_names, strict=True))
    return [symbol(name, axis, dim_name) if size == -1 else size for axis, (size, dim_name) in sizes]


def formulas(model: onnx.ModelProto, inputs: Mapping[str, Sequence[int | str]]) -> dict[str, list[int | str]]:
    """Each output dimension as a number or a formula of the input dimensions; ``""`` if there is none.

    Parameters:
        inputs: for every input its shape, with a name for each run-time dimension.
    """
    try:
        inferred = _inferred_symbolically(_with_input_shapes(model, inputs))
    except Exception:  # an operator that it does not know: the shapes stay those that ONNX can infer
        return {value.name: [] for value in model.graph.output}
    names = {size for shape in inputs.values() for size in shape if isinstance(size, str)}
    return {
        value.name: [_formula(dim, names) for dim in value.type.tensor_type.shape.dim]
        for value in inferred.graph.output
    }


def _inferred_symbolically(asked: onnx.ModelProto) -> onnx.ModelProto:
    """The steps of ``SymbolicShapeInference.infer_shapes``, which writes a file into the working folder if it fails."""
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    inference = SymbolicShapeInference(int_max=2**31 - 1, auto_merge=True, guess_output_rank=False, verbose=0)
    inference._preprocess(asked)  # noqa: SLF001 (it has no other way in)
    complete = False
    while inference.run_:
        complete = inference._infer_impl()  # noqa: SLF001
    inference._update_output_from_vi()  # noqa: SLF001
    if not complete:
        raise ValueError("it came to no end")
    return inference.out_mp_


def _formula(dim: onnx.TensorShapeProto.Dimension, names: set[str]) -> int | str:
    """Keep a formula only if it speaks of input dimensions alone: others stand for sizes known after the run."""
    if dim.HasField("dim_value"):
        return dim.dim_value
    try:
        evaluate(dim.dim_param, dict.fromkeys(names, 8))
    except (KeyError, ValueError, SyntaxError):
        return ""
    return dim.dim_param


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


def infer(
    model: onnx.ModelProto, inputs: Mapping[str, Shape], values: Mapping[str, np.ndarray] | None = None
) -> dict[str, Shape]:
    """Output shapes as ONNX infers them from input shapes; -1 is a dimension that is not known.

    Parameters:
        values: the values of shape inputs, as far as they are known.

    Raises:
        ShapesDisagree: the shapes contradict each other.
    """
    inferred = _inferred(_with_values(_with_input_shapes(model, inputs), values or {}))
    _check_reshapes(inferred)
    return {value.name: _shape(value) for value in inferred.graph.output}


def _inferred(asked: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return shape_inference.infer_shapes(asked, strict_mode=True, data_prop=True)
    except Exception as error:  # onnx raises its own InferenceError, and RuntimeError for a broken graph
        raise ShapesDisagree(str(error).strip().splitlines()[-1]) from None


def _check_reshapes(inferred: onnx.ModelProto) -> None:
    """The one contradiction that ONNX's inference lets pass: a reshape that changes the number of elements."""
    shapes = {v.name: _shape(v) for v in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)}
    for node in inferred.graph.node:
        if node.op_type != "Reshape":
            continue
        before, after = shapes.get(node.input[0], (-1,)), shapes.get(node.output[0], (-1,))
        if -1 not in (*before, *after) and math.prod(before) != math.prod(after):
            layer = node.name or f"node_of_{node.output[0]}"
            volumes = f"{math.prod(before)} to {math.prod(after)}"
            words = f"reshaping failed for tensor: {node.input[0]} reshape would change volume {volumes}"
            raise ShapesDisagree(f"IShuffleLayer {layer}: {words}")


def _with_values(asked: onnx.ModelProto, values: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """Shape inference reads the values of constants: a shape input whose value is known becomes one."""
    for name, value in values.items():
        asked.graph.initializer.append(numpy_helper.from_array(value, name))
    kept = [value for value in asked.graph.input if value.name not in values]
    del asked.graph.input[:]
    asked.graph.input.extend(kept)
    return asked


def infer_largest(
    model: onnx.ModelProto, inputs: Mapping[str, Shape], values: Mapping[str, np.ndarray] | None = None
) -> dict[str, Shape]:
    """As ``infer``, with every ``NonZero`` finding as much as it can: all elements. For upper bounds.

    Raises:
        ShapesDisagree: the shapes contradict each other.
    """
    asked = _with_values(_with_input_shapes(model, inputs), values or {})
    for _ in [node for node in asked.graph.node if node.op_type == "NonZero"]:
        asked = _largest_nonzero_fixed(asked)
    return {value.name: _shape(value) for value in _inferred(asked).graph.output}


def _largest_nonzero_fixed(asked: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the first ``NonZero`` by a graph input as large as its result can get, if that is known."""
    inferred = _inferred(asked)
    shapes = {v.name: _shape(v) for v in (*inferred.graph.value_info, *inferred.graph.input)}
    node = next(node for node in asked.graph.node if node.op_type == "NonZero")
    shape = shapes.get(node.input[0], (-1,))
    if -1 not in shape:
        largest = [max(1, len(shape)), math.prod(shape)]
        asked.graph.node.remove(node)
        made = onnx.helper.make_tensor_value_info(node.output[0], TensorProto.INT64, largest)
        if node.output[0] in {value.name for value in asked.graph.output}:
            asked.graph.output.remove(next(v for v in asked.graph.output if v.name == node.output[0]))
            asked.graph.output.append(made)
        asked.graph.input.append(made)
    return asked


def total_weight_bytes(model: onnx.ModelProto, inputs: Sequence[str]) -> int:
    """Bytes of all weights, from a graph without them: its large ones are inputs that are none of the engine's."""
    sizes = [(w.data_type, math.prod(w.dims)) for w in model.graph.initializer]
    large = [value for value in model.graph.input if value.name not in inputs]
    sizes += [(_elem_type(value), math.prod(_shape(value))) for value in large]
    return sum(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize * count for kind, count in sizes)


def _shape(value: onnx.ValueInfoProto) -> Shape:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return (-1,)  # not even the rank is known
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)


def _elem_type(value: onnx.ValueInfoProto) -> int:
    return value.type.tensor_type.elem_type or TensorProto.FLOAT
