"""NVIDIA's real parser and builder, with a memory.

TensorRT-RTX builds plans on any Linux or Windows machine, GPU or not. What its runtime needs a GPU for, ours
does with ONNX Runtime, and for that it needs two things that a plan does not give back: the ONNX bytes and the
optimization profiles. The classes here note both while they pass every call on to the real ones.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxruntime as ort
import tensorrt_rtx as rtx

from . import graph, plan
from .header import PlanHeader, TensorSpec
from .versions import readable

# The ONNX graph behind each network, for as long as the network lives. Filled by OnnxParser, read by Builder.
_parsed: weakref.WeakKeyDictionary[rtx.INetworkDefinition, ParsedGraph] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class ParsedGraph:
    """What a parser put into a network, and how the network looked right afterwards."""

    model: onnx.ModelProto
    fingerprint: tuple


class HostMemory(bytes):
    """The serialised plan: ``bytes`` with the two members of ``IHostMemory``.

    The real ``IHostMemory`` has no ``len()``; a ``bytes`` has. Code that must run on a GPU too uses ``nbytes``.
    """

    dtype = rtx.DataType.INT8

    @property
    def nbytes(self) -> int:
        """The size of the plan in bytes."""
        return len(self)

    def __repr__(self) -> str:
        return f"<reference IHostMemory, {len(self)} bytes>"

    __str__ = __repr__  # print(plan) must not print 190 MB


def _nothing(self: object) -> None:
    """Stands in for the deprecated ``__del__`` of the bindings, which Python would call and which warns."""


def _io_tensors(network: rtx.INetworkDefinition) -> list[rtx.ITensor]:
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    return inputs + [network.get_output(i) for i in range(network.num_outputs)]


def _fingerprint(network: rtx.INetworkDefinition) -> tuple:
    """What must still be true of a network for its ONNX graph to describe it."""
    return (network.num_layers, *((t.name, tuple(t.shape), str(t.dtype)) for t in _io_tensors(network)))


class OnnxParser(rtx.OnnxParser):
    """TensorRT-RTX's own parser; it also remembers which ONNX graph it put into the network."""

    __del__ = _nothing

    def __init__(self, network: rtx.INetworkDefinition, logger: rtx.ILogger) -> None:
        super().__init__(network, logger)
        self._network = weakref.ref(network)

    def parse(self, model: object, path: str | None = None) -> bool:
        """As ``OnnxParser.parse``: True if the model was parsed; the reasons are in ``get_error(i)``."""
        parsed = super().parse(model) if path is None else super().parse(model, path)
        if parsed:
            self._remember(onnx.load_from_string(bytes(model)), Path(path).parent if path else None)
        return parsed

    def parse_from_file(self, model: str) -> bool:
        """As ``OnnxParser.parse_from_file``."""
        parsed = super().parse_from_file(model)
        if parsed:
            self._remember(onnx.load(model, load_external_data=False), Path(model).parent)
        return parsed

    def set_builder_config(self, builder_config: rtx.IBuilderConfig) -> bool:
        """As ``OnnxParser.set_builder_config``."""
        return super().set_builder_config(_real(builder_config))

    def _remember(self, model: onnx.ModelProto, folder: Path | None) -> None:
        network = self._network()
        if network is None or not model.graph.node:
            return
        if folder is not None:
            onnx.load_external_data_for_model(model, str(folder))
        graph.strip_metadata(model)
        graph.sort_nodes(model)
        model = readable(model)
        _parsed[network] = ParsedGraph(model, _fingerprint(network))


class IBuilderConfig:
    """TensorRT-RTX's own builder config; it also remembers the profiles added to it."""

    def __init__(self, real: rtx.IBuilderConfig) -> None:
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_profiles", [])

    def add_optimization_profile(self, profile: rtx.IOptimizationProfile) -> int:
        """As ``IBuilderConfig.add_optimization_profile``: the profile's index, or -1 if it is not valid."""
        index = self._real.add_optimization_profile(profile)
        if index >= 0:
            self._profiles.append(profile)
        return index

    def reset(self) -> None:
        """As ``IBuilderConfig.reset``: the profiles are forgotten too."""
        self._real.reset()
        self._profiles.clear()

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._real)


def _real(config: IBuilderConfig | rtx.IBuilderConfig) -> rtx.IBuilderConfig:
    return vars(config)["_real"] if isinstance(config, IBuilderConfig) else config


class Builder(rtx.Builder):
    """TensorRT-RTX's own builder; it also appends what the reference runtime needs to the plan it makes."""

    __del__ = _nothing

    def __init__(self, logger: rtx.ILogger) -> None:
        super().__init__(logger)
        self._logger = logger

    def __setattr__(self, name: str, value: object) -> None:
        """A subclass in Python would take any name; the bindings do not (``max_batch_size``, for one, is gone)."""
        if not name.startswith("_") and not hasattr(rtx.Builder, name):
            raise AttributeError(f"'{rtx.Builder.__module__}.Builder' object has no attribute '{name}'")
        super().__setattr__(name, value)

    def create_builder_config(self) -> IBuilderConfig:
        """As ``Builder.create_builder_config``."""
        return IBuilderConfig(super().create_builder_config())

    def is_network_supported(self, network: rtx.INetworkDefinition, config: IBuilderConfig) -> bool:
        """As ``Builder.is_network_supported``."""
        return super().is_network_supported(network, _real(config))

    def build_serialized_network(self, network: rtx.INetworkDefinition, config: IBuilderConfig) -> HostMemory | None:
        """As ``Builder.build_serialized_network``: the plan, or None if the build was refused or cancelled."""
        built = super().build_serialized_network(network, _real(config))
        if built is None:
            return None
        parsed = _parsed.get(network)
        reason = _why_not_runnable(network, parsed)
        if reason:
            self._logger.log(rtx.ILogger.Severity.WARNING, f"The reference runtime cannot run this plan: {reason}")
            return HostMemory(bytes(built))
        shapes = graph.without_weights(parsed.model)
        header = _header(
            network, parsed.model, shapes, vars(config)["_profiles"] if isinstance(config, IBuilderConfig) else []
        )
        onnx_bytes = parsed.model.SerializeToString()
        return HostMemory(plan.join(memoryview(built).cast("B"), onnx_bytes, shapes.SerializeToString(), header))

    def build_serialized_network_to_stream(
        self, network: rtx.INetworkDefinition, config: IBuilderConfig, writer: rtx.IStreamWriter
    ) -> bool:
        """As ``Builder.build_serialized_network_to_stream``, written in one piece."""
        built = self.build_serialized_network(network, config)
        return built is not None and writer.write(bytes(built)) == len(built)


def _why_not_runnable(network: rtx.INetworkDefinition, parsed: ParsedGraph | None) -> str:
    if parsed is None:
        return "it was made with the layer API, so there is no ONNX graph."
    if parsed.fingerprint != _fingerprint(network):
        return "the network was changed after parsing, so its ONNX graph no longer describes it."
    types = {v.name: v.type.tensor_type.elem_type for v in (*parsed.model.graph.input, *parsed.model.graph.output)}
    for tensor in _io_tensors(network):
        if graph.DTYPES.get(types[tensor.name]) != tensor.dtype.name:  # TensorRT's parser turns DOUBLE into FLOAT
            return f"{tensor.name} has another type in the ONNX graph than the parser gave it, {tensor.dtype.name}."
    return ""


def _header(
    network: rtx.INetworkDefinition,
    model: onnx.ModelProto,
    shapes: onnx.ModelProto,
    profiles: list[rtx.IOptimizationProfile],
) -> PlanHeader:
    inputs = [_input_spec(network.get_input(i), model) for i in range(network.num_inputs)]
    named = {spec.name: graph.named_shape(spec.name, spec.shape, spec.dim_names) for spec in inputs}
    formulas = graph.formulas(shapes, named)
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    return PlanHeader(
        name=network.name,
        inputs=inputs,
        outputs=[_spec(t, model.graph.output, formulas=tuple(formulas[t.name])) for t in outputs],
        profiles=[_profile_shapes(profile, inputs) for profile in profiles] or [{}],
        profile_values=[_profile_values(profile, inputs) for profile in profiles] or [{}],
        versions={"tensorrt_rtx": rtx.__version__, "onnx": version("onnx"), "onnxruntime": ort.__version__},
        num_layers=network.num_layers,
    )


def _spec(tensor: rtx.ITensor, values: Iterable[onnx.ValueInfoProto], **more: object) -> TensorSpec:
    value = next(v for v in values if v.name == tensor.name)
    elem_type = value.type.tensor_type.elem_type
    return TensorSpec(tensor.name, tuple(tensor.shape), tensor.dtype.name, elem_type, **more)


def _input_spec(tensor: rtx.ITensor, model: onnx.ModelProto) -> TensorSpec:
    value = next(v for v in model.graph.input if v.name == tensor.name)
    dim_names = tuple(d.dim_param for d in value.type.tensor_type.shape.dim)
    return _spec(tensor, model.graph.input, dim_names=dim_names, is_shape_tensor=tensor.is_shape_tensor)


def _profile_shapes(profile: rtx.IOptimizationProfile, inputs: list[TensorSpec]) -> dict[str, list[tuple]]:
    # Asked only for dynamic inputs: get_shape logs an error for a name that was never set.
    dynamic = [spec.name for spec in inputs if -1 in spec.shape]
    return {name: [tuple(shape) for shape in profile.get_shape(name)] for name in dynamic}


def _profile_values(profile: rtx.IOptimizationProfile, inputs: list[TensorSpec]) -> dict[str, list[list[int]]]:
    found = {spec.name: profile.get_shape_input(spec.name) for spec in inputs if spec.is_shape_tensor}
    return {name: [list(values) for values in three] for name, three in found.items() if three}
