"""Why there is no plan: the words for a model or a profile that NVIDIA's parser and builder refuse, or crash on."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx

from ..errors import TensorRTError
from ..lanes import trt
from ..log import is_no_driver_echo, tidy

Shape = tuple[int, ...]
Triple = tuple[Shape, Shape, Shape]


# ---- models -------------------------------------------------------------------------------------------------


def refuse_what_crashes(name: str, data: bytes) -> None:
    """NVIDIA's parser says what it does not like; a node that computes nothing takes the process along."""
    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's own; the parser will say so
        return
    for graph in (model.graph, *model.functions):
        for node in _all_nodes(graph.node):
            if not node.output:
                reason = f"the node '{node.name}' of type {node.op_type} has no output"
                raise TensorRTError("onnx_unreadable", path=name, reason=reason)


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """These nodes and those of the graphs inside them, of branches and loops."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _all_nodes(graph.node)


def parse_error(name: str, parser: trt.OnnxParser) -> TensorRTError:
    """Why the parser returned False: every error that it has, with the node."""
    words = "; ".join(_parser_words(parser.get_error(i)) for i in range(parser.num_errors)) or "no reason given."
    if "Failed to parse the ONNX model" in words:
        return TensorRTError("onnx_unreadable", path=name, reason="its bytes are not an ONNX graph")
    return TensorRTError("onnx_refused", path=name, reason=words)


def _parser_words(error: trt.ParserError) -> str:
    """The parser's sentence alone often does not say which node it is about."""
    words = " ".join(tidy(line) for line in error.desc().splitlines() if not is_no_driver_echo(line))
    if not error.node_operator():
        return words
    return f"{words} (operator {error.node_operator()}, node '{error.node_name()}')"


# ---- profiles -----------------------------------------------------------------------------------------------


def check_profile(index: int, shapes: Mapping[str, Triple], known: Sequence[str]) -> None:
    """What ``set_shape`` would refuse with a TypeError or a RuntimeError that does not say which input it was."""
    for name, three in shapes.items():
        if name not in known:
            raise TensorRTError("profile_unknown_input", profile=index, tensor=name, known=", ".join(known))
        try:
            sizes = [[operator.index(size) for size in shape] for shape in three]
        except TypeError:
            sizes = []
        if len(sizes) != 3:
            detail = f"{name}: expected three shapes (min, opt, max), tuples of whole numbers, got {three}."
            raise TensorRTError("profile_invalid", profile=index, detail=detail)
        if any(not 0 <= size < 2**31 for shape in sizes for size in shape):
            detail = f"{name}: {three} has a size below 0 or above 2147483647."
            raise TensorRTError("profile_invalid", profile=index, detail=detail)


def profile_error(index: int, shapes: Mapping[str, Triple], words: str) -> TensorRTError:
    """Why ``add_optimization_profile`` returned -1."""
    detail = " ".join(filter(None, (_not_ordered(name, *three) for name, three in shapes.items())))
    return TensorRTError("profile_invalid", words, profile=index, detail=detail)


def _not_ordered(name: str, low: Shape, opt: Shape, high: Shape) -> str:
    if not len(low) == len(opt) == len(high):
        return f"{name}: {low}, {opt}, {high} differ in their number of dimensions."
    for i, (a, b, c) in enumerate(zip(low, opt, high, strict=True)):
        if not a <= b <= c:
            return f"{name}: dimension {i} has min {a}, opt {b}, max {c}."
    return ""


def build_error(network: trt.INetworkDefinition, profiles: Sequence[Mapping[str, Triple]], words: str) -> TensorRTError:
    """Why the builder returned None: a profile that does not fit the network, else its own words."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    shapes = {tensor.name: tuple(tensor.shape) for tensor in inputs}
    dynamic = [name for name, shape in shapes.items() if -1 in shape]
    if dynamic and not profiles:
        return TensorRTError("profile_missing", words, tensors=", ".join(dynamic))
    for index, profile in enumerate(profiles):
        for name in dynamic:
            if name not in profile:
                return TensorRTError("profile_incomplete", words, tensor=name, profile=index)
        for name, three in profile.items():
            if any(not _fits(shape, shapes[name]) for shape in three):
                asked = " ".join(map(str, map(tuple, three)))
                facts = {"tensor": name, "profile": index, "asked": asked, "network": shapes[name]}
                return TensorRTError("profile_mismatch", words, **facts)
    return TensorRTError("build_failed", words)


def _fits(shape: Shape, network_shape: Shape) -> bool:
    """Whether a shape has the network's rank, and its size wherever that is fixed."""
    pairs = zip(shape, network_shape, strict=False)
    return len(shape) == len(network_shape) and all(fixed in (-1, size) for size, fixed in pairs)
