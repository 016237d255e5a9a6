"""A plan from ONNX and profiles alone, for graphs that NVIDIA's builder of this machine refuses.

TensorRT runs graphs whose output sizes depend on the data (``NonZero``, ``NonMaxSuppression``); TensorRT-RTX,
whose builder this lane uses, does not. To show how TensorRT's runtime treats them, such a plan is made here
without any of NVIDIA's code. It is never taken silently: it has to be called by its name, and it logs a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import onnx
import onnxruntime as ort
import tensorrt_rtx as rtx

from . import graph, plan
from .builder import HostMemory
from .header import PlanHeader, Shape, TensorSpec
from .versions import readable

Profile = Mapping[str, tuple[Shape, Shape, Shape]]


def plan_from_onnx_alone(
    model: onnx.ModelProto | bytes, profiles: Sequence[Profile] = (), logger: rtx.ILogger | None = None
) -> HostMemory:
    """A plan that only the reference runtime can run. NVIDIA's parser and builder are not involved.

    Parameters:
        model: the ONNX model or its bytes.
        profiles: for each profile (min, opt, max) of every dynamic input, by name.
        logger: gets the warning that says so; None prints it.

    Raises:
        ValueError: a type that TensorRT has not, a dynamic input without a profile, or a profile that does not fit.
    """
    model = onnx.load_from_string(bytes(model)) if not isinstance(model, onnx.ModelProto) else model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph.strip_metadata(copy)
    graph.sort_nodes(copy)
    copy = readable(copy)
    _say(copy, logger)
    shapes = graph.without_weights(copy)
    weights = {weight.name for weight in copy.graph.initializer}
    inputs = [_input_spec(value) for value in copy.graph.input if value.name not in weights]
    named = {spec.name: graph.named_shape(spec.name, spec.shape, spec.dim_names) for spec in inputs}
    formulas = graph.formulas(shapes, named)
    header = PlanHeader(
        name=copy.graph.name,
        inputs=inputs,
        outputs=[_output_spec(value, formulas) for value in copy.graph.output],
        profiles=[_profile(profile, inputs) for profile in profiles or [{}]],
        profile_values=[{} for _ in profiles or [{}]],
        versions={"onnx": version("onnx"), "onnxruntime": ort.__version__},
        num_layers=len(copy.graph.node),
    )
    return HostMemory(plan.join(b"", copy.SerializeToString(), shapes.SerializeToString(), header))


def _say(model: onnx.ModelProto, logger: rtx.ILogger | None) -> None:
    words = (
        f"The plan of '{model.graph.name}' is made from ONNX alone: NVIDIA's parser and builder are not involved, "
        "and only the reference runtime can run it."
    )
    if logger is None:
        print(f"[W] {words}")
    else:
        logger.log(rtx.ILogger.Severity.WARNING, words)


def _dtype(value: onnx.ValueInfoProto) -> tuple[str, int]:
    elem_type = value.type.tensor_type.elem_type
    if elem_type not in graph.DTYPES:
        name = onnx.TensorProto.DataType.Name(elem_type)
        raise ValueError(f"{value.name} has the ONNX type {name}, which TensorRT does not have")
    return graph.DTYPES[elem_type], elem_type


def _input_spec(value: onnx.ValueInfoProto) -> TensorSpec:
    dims = value.type.tensor_type.shape.dim
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
    return TensorSpec(value.name, shape, *_dtype(value), dim_names=tuple(d.dim_param for d in dims))


def _output_spec(value: onnx.ValueInfoProto, formulas: dict[str, list[int | str]]) -> TensorSpec:
    """Sizes known for ever are numbers among the formulas; all others are -1."""
    found = tuple(formulas[value.name])
    if not found:
        found = ("",) * len(value.type.tensor_type.shape.dim)
    shape = tuple(size if isinstance(size, int) else -1 for size in found)
    return TensorSpec(value.name, shape, *_dtype(value), formulas=found)


def _profile(profile: Profile, inputs: list[TensorSpec]) -> dict[str, list[Shape]]:
    dynamic = {spec.name: spec for spec in inputs if -1 in spec.shape}
    unknown = sorted(profile.keys() - {spec.name for spec in inputs})
    missing = sorted(dynamic.keys() - profile.keys())
    if unknown or missing:
        raise ValueError(f"the profile misses {missing} and names unknown inputs {unknown}")
    three = {name: [tuple(shape) for shape in profile[name]] for name in dynamic}
    for name, (low, opt, high) in three.items():
        fits = len(low) == len(opt) == len(high) == len(dynamic[name].shape)
        if not fits or not all(0 <= a <= b <= c for a, b, c in zip(low, opt, high, strict=True)):
            raise ValueError(f"the profile of {name} does not satisfy 0 <= min <= opt <= max in {len(low)} dimensions")
        for size, a, c in zip(dynamic[name].shape, low, high, strict=True):
            if size not in (-1, a) or size not in (-1, c):
                raise ValueError(f"the profile of {name} differs from the fixed sizes {dynamic[name].shape}")
    return three
