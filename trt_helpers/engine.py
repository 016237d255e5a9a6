"""From ONNX to a plan, from a plan to an engine. Lesson 1 writes each of these out by hand first."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import onnx

from .building.progress import progress_monitor
from .building.targets import ask_for_gpus, leave_out_turing
from .errors import TensorRTError, recognise
from .files import written_whole
from .lanes import lane, trt
from .log import Logger, Message, first_error, is_no_driver_echo, logger, tidy

Shape = tuple[int, ...]

# TensorRT 10 would choose precisions itself unless told not to; TensorRT 11 and TensorRT-RTX never do, and ignore this.
_STRONGLY_TYPED = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


class Profile(dict):
    """An optimization profile: for each dynamic input the smallest, the likeliest and the largest shape.

        Profile(x=((1, 4), (4, 16), (8, 16)))

    An engine accepts every shape between min and max; it is tuned for opt, which decides speed only.
    """

    def __init__(
        self,
        shapes: dict[str, tuple[Shape, Shape, Shape]] | None = None,
        **named: tuple[Shape, Shape, Shape],
    ) -> None:
        super().__init__({**(shapes or {}), **named})

    @classmethod
    def same(cls, names: Sequence[str], min: Shape, opt: Shape, max: Shape) -> Profile:
        """The same three shapes for several inputs, as BERT's three have them."""
        return cls(dict.fromkeys(names, (min, opt, max)))


def _collected(log: trt.ILogger) -> AbstractContextManager[list[Message]]:
    """What TensorRT says in a ``with`` block, kept for the error's text; another logger keeps it to itself."""
    return log.quietly() if isinstance(log, Logger) else nullcontext([])


# ---- ONNX to plan -------------------------------------------------------------------------------------------


def build_plan(
    onnx_model: str | Path | bytes | onnx.ModelProto,
    profiles: Profile | Sequence[Profile] = (),
    *,
    progress: bool | None = None,
    log: trt.ILogger | None = None,
) -> trt.IHostMemory:
    """Parse an ONNX model and build a serialised engine, the plan.

    Parameters:
        onnx_model: a file, its bytes, or a model in memory.
        profiles: one optimization profile or several; none for a model without dynamic dimensions.
        progress: show a progress bar; default: yes, unless ``TRT_HELPERS_PROGRESS=0``.
        log: the logger to use; default: the lane's own, ``trt_helpers.logger``.

    Returns:
        The plan: a buffer with ``nbytes``.

    Raises:
        TensorRTError: the file is missing, the parser or the builder refused it; in TensorRT's words and ours.
    """
    log = log or logger
    profiles = [profiles] if isinstance(profiles, dict) else list(profiles)
    if not all(isinstance(profile, dict) for profile in profiles):
        raise TypeError("build_plan takes th.Profile(input_name=(min, opt, max)), or a list of them")
    name, data, folder = _onnx_bytes(onnx_model)
    _refuse_what_crashes(name, data)
    with _collected(log) as messages:
        builder = trt.Builder(log)
        network = builder.create_network(_STRONGLY_TYPED)
        _parse(trt.OnnxParser(network, log), network, name, data, folder)
        config = builder.create_builder_config()
        ask_for_gpus(config)
        _add_profiles(builder, network, config, profiles, messages)
        plan = _built(builder, network, config, progress)
    if plan is None and (reason := leave_out_turing(config, messages)):
        if isinstance(log, Logger):
            log.forget(messages)  # nothing has failed yet
        log.log(trt.ILogger.Severity.INFO, f"The plan is not for GPUs of compute capability 7.5: {reason}")
        with _collected(log) as messages:
            plan = _built(builder, network, config, progress)
    if plan is None:
        raise _build_error(network, profiles, first_error(messages))
    return plan


def _built(
    builder: trt.Builder,
    network: trt.INetworkDefinition,
    config: trt.IBuilderConfig,
    progress: bool | None,
) -> trt.IHostMemory | None:
    with progress_monitor(progress) as monitor:
        if monitor is not None:
            config.progress_monitor = monitor
        return builder.build_serialized_network(network, config)


def _onnx_bytes(onnx_model: str | Path | bytes | onnx.ModelProto) -> tuple[str, bytes, str | None]:
    """What to call the model in messages, its bytes, and the file that they came from."""
    if isinstance(onnx_model, onnx.ModelProto):
        return "the ONNX model", onnx_model.SerializeToString(), None
    if isinstance(onnx_model, bytes | bytearray | memoryview):
        return "the ONNX model", bytes(onnx_model), None
    path = Path(onnx_model)
    try:
        return path.name, path.read_bytes(), str(path)
    except FileNotFoundError:
        raise TensorRTError("onnx_missing", path=str(path)) from None
    except OSError as error:
        raise TensorRTError("onnx_unreadable", path=str(path), reason=error.strerror) from None


def _refuse_what_crashes(name: str, data: bytes) -> None:
    """NVIDIA's parser says what it does not like; a node that computes nothing takes the process along."""
    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's own; the parser will say so
        return
    for node in _all_nodes([*model.graph.node, *(node for function in model.functions for node in function.node)]):
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


def _parse(parser: trt.OnnxParser, network: trt.INetworkDefinition, name: str, data: bytes, path: str | None) -> None:
    # Weights may lie in a file of their own, whose place is known only from the model's.
    parsed = parser.parse(data) if path is None else parser.parse(data, path)
    if not parsed:
        words = "; ".join(_parser_words(parser.get_error(i)) for i in range(parser.num_errors)) or "no reason given."
        if "Failed to parse the ONNX model" in words:
            raise TensorRTError("onnx_unreadable", path=name, reason="its bytes are not an ONNX graph")
        raise TensorRTError("onnx_refused", path=name, reason=words)
    if not network.num_inputs or not network.num_outputs:
        raise TensorRTError("onnx_empty", path=name, inputs=network.num_inputs, outputs=network.num_outputs)


def _parser_words(error: trt.ParserError) -> str:
    """The parser's sentence alone often does not say which node it is about."""
    words = " ".join(tidy(line) for line in error.desc().splitlines() if not is_no_driver_echo(line))
    if not error.node_operator():
        return words
    return f"{words} (operator {error.node_operator()}, node '{error.node_name()}')"


def _add_profiles(
    builder: trt.Builder,
    network: trt.INetworkDefinition,
    config: trt.IBuilderConfig,
    profiles: Sequence[Profile],
    messages: list[Message],
) -> None:
    known = [network.get_input(i).name for i in range(network.num_inputs)]
    for index, shapes in enumerate(profiles):
        profile = builder.create_optimization_profile()
        for name, three in shapes.items():
            if name not in known:
                names = ", ".join(known)
                raise TensorRTError("profile_unknown_input", profile=index, tensor=name, known=names)
            if detail := _not_three_shapes(name, three):
                raise TensorRTError("profile_invalid", profile=index, detail=detail)
            profile.set_shape(name, *three)
        if config.add_optimization_profile(profile) < 0:
            detail = " ".join(filter(None, (_not_ordered(name, *three) for name, three in shapes.items())))
            raise TensorRTError("profile_invalid", first_error(messages), profile=index, detail=detail)


def _not_three_shapes(name: str, three: object) -> str:
    """What ``set_shape`` would refuse with a TypeError or a RuntimeError that does not say which input it was."""
    try:
        sizes = [[operator.index(size) for size in shape] for shape in three]
    except TypeError:
        sizes = []
    if len(sizes) != 3:
        return f"{name}: expected three shapes (min, opt, max), tuples of whole numbers, got {three}."
    if any(not 0 <= size < 2**31 for shape in sizes for size in shape):
        return f"{name}: {three} has a size below 0 or above 2147483647."
    return ""


def _not_ordered(name: str, low: Shape, opt: Shape, high: Shape) -> str:
    """What ``add_optimization_profile`` refuses by returning -1."""
    if not len(low) == len(opt) == len(high):
        return f"{name}: {low}, {opt}, {high} differ in their number of dimensions."
    for i, (a, b, c) in enumerate(zip(low, opt, high, strict=True)):
        if not a <= b <= c:
            return f"{name}: dimension {i} has min {a}, opt {b}, max {c}."
    return ""


def _build_error(network: trt.INetworkDefinition, profiles: Sequence[Profile], words: str) -> TensorRTError:
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
    if len(shape) != len(network_shape):
        return False
    return all(fixed in (-1, size) for size, fixed in zip(shape, network_shape, strict=True))


# ---- plan to disk, plan to engine -------------------------------------------------------------------------


def save_plan(plan: trt.IHostMemory, path: str | Path) -> Path:
    """Write a plan to disk, all of it or nothing: a crash half-way leaves the old file whole.

    A plan carries the versions that it was built with: TensorRT's in its own header, and in the reference lane
    also those of this package, with a checksum over the whole file.

    Raises:
        TensorRTError: the plan is None, because its build failed and nobody looked.
    """
    if plan is None:
        raise TensorRTError("build_failed", _builders_words())
    path = Path(path)
    with written_whole(path) as unfinished:
        unfinished.write_bytes(memoryview(plan).cast("B"))
    return path


def load_engine(plan: str | Path | bytes | trt.IHostMemory, *, log: trt.ILogger | None = None) -> trt.ICudaEngine:
    """Deserialise a plan, from a file or from memory.

    Parameters:
        plan: a path, or the plan's bytes.
        log: the logger for the runtime; default: ``trt_helpers.logger``.

    Raises:
        TensorRTError: no such file, or TensorRT returned None: foreign, truncated, edited, or built for another
            version or GPU. Nothing of the plan has run.
    """
    if plan is None:
        raise TensorRTError("build_failed", _builders_words())
    log = log or logger
    name, data = _plan_bytes(plan)
    with _collected(log) as messages:
        engine = trt.Runtime(log).deserialize_cuda_engine(data)
    if engine is None:
        raise _plan_error(name, data, first_error(messages))
    return engine


def _builders_words() -> str:
    """Why the last build failed, if that was the last thing that failed."""
    return logger.last_error if "buildSerializedNetwork" in logger.last_error else ""


def _plan_bytes(plan: str | Path | bytes | trt.IHostMemory) -> tuple[str, bytes | trt.IHostMemory]:
    """What to call the plan in messages, and its content."""
    if not isinstance(plan, str | Path):
        return "The plan", plan
    try:
        return Path(plan).name, Path(plan).read_bytes()
    except FileNotFoundError:
        raise TensorRTError("plan_missing", plan=str(plan)) from None
    except OSError as error:
        raise TensorRTError("plan_unreadable", plan=str(plan), reason=error.strerror) from None


def _plan_error(name: str, data: bytes | trt.IHostMemory, words: str) -> TensorRTError:
    """Say what is wrong with a plan, from TensorRT's line and the file's first bytes."""
    refusal = recognise(words)
    facts = {
        "plan": name,
        "lane": lane.name,
        "what": _what_is_it(bytes(memoryview(data).cast("B")[:4])),
        "reason": words.partition("blobSize failed. ")[2].removesuffix(")")
        or "its length is not the one in its header.",
        "found": words.partition("has format ")[2].partition(",")[0],
        "expected": words.partition("reads format ")[2].partition(".")[0],
    }
    if refusal is None or not refusal.needs <= facts.keys():
        return TensorRTError("plan_refused", words, plan=name)
    return TensorRTError(refusal.key, words, **facts)


def _what_is_it(first: bytes) -> str:
    """What a file is by its first four bytes."""
    if first[:1] == b"\x08":  # the field ir_version, which every exporter writes first
        return "an ONNX file"
    kinds = {b"ftrt": "a plan of TensorRT", b"vtrt": "a plan of TensorRT-RTX", b"PK\x03\x04": "a zip file"}
    return kinds.get(first, "not a plan")
