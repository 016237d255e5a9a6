"""From ONNX to a plan, from a plan to an engine. Lesson 1 writes each of these out by hand first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import onnx

from .backend import lane, trt
from .errors import TensorRTError, recognise
from .log import make_logger_class
from .progress import progress_monitor

Shape = tuple[int, ...]

Logger = make_logger_class(trt)

# TensorRT keeps the first logger it is given for the whole process, so the lane has one too.
logger = Logger()


class Profile(dict):
    """An optimization profile: for each dynamic input the smallest, the likeliest and the largest shape.

        Profile(x=((1, 4), (4, 16), (8, 16)))

    An engine accepts every shape between min and max; it is tuned for opt, which decides speed only.
    """

    def __init__(self, shapes: dict[str, tuple[Shape, Shape, Shape]] | None = None, **named: tuple) -> None:
        super().__init__({**(shapes or {}), **named})

    @classmethod
    def same(cls, names: Sequence[str], min: Shape, opt: Shape, max: Shape) -> Profile:  # noqa: A002
        """The same three shapes for several inputs, as BERT's three have them."""
        return cls(dict.fromkeys(names, (min, opt, max)))


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
    path, data = _onnx_bytes(onnx_model)
    with log.quietly() if isinstance(log, Logger) else nullcontext([]) as messages:
        builder = trt.Builder(log)
        network = builder.create_network()
        parser = trt.OnnxParser(network, log)
        _parse(parser, network, path, data)
        config = builder.create_builder_config()
        _add_profiles(builder, network, config, [profiles] if isinstance(profiles, dict) else profiles, messages)
        with progress_monitor(progress) as monitor:
            config.progress_monitor = monitor
            plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise _build_error(network, messages)
    return plan


def _onnx_bytes(onnx_model: str | Path | bytes | onnx.ModelProto) -> tuple[str, bytes]:
    """What to call the model in messages, and its bytes."""
    if isinstance(onnx_model, onnx.ModelProto):
        return "the ONNX model", onnx_model.SerializeToString()
    if isinstance(onnx_model, bytes):
        return "the ONNX model", onnx_model
    path = Path(onnx_model)
    try:
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise TensorRTError("onnx_missing", path=onnx_model) from None
    except OSError as error:
        raise TensorRTError("onnx_unreadable", path=onnx_model, reason=error.strerror) from None


def _parse(parser: trt.OnnxParser, network: trt.INetworkDefinition, path: str, data: bytes) -> None:
    if not parser.parse(data):
        words = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        reason = "; ".join(words) or "no reason given"
        if "Failed to parse the ONNX model" in reason:
            raise TensorRTError("onnx_unreadable", path=path, reason="its bytes are not an ONNX graph.")
        raise TensorRTError("onnx_refused", path=path, reason=reason)
    if not network.num_inputs or not network.num_outputs:
        raise TensorRTError("onnx_empty", path=path, inputs=network.num_inputs, outputs=network.num_outputs)


def _add_profiles(builder, network, config, profiles: Sequence[Profile], messages: list) -> None:
    known = [network.get_input(i).name for i in range(network.num_inputs)]
    for index, shapes in enumerate(profiles):
        profile = builder.create_optimization_profile()
        for name, (low, opt, high) in shapes.items():
            if name not in known:
                raise TensorRTError("profile_unknown_input", profile=index, tensor=name, known=", ".join(known))
            _set_shape(profile, index, name, low, opt, high)
        if config.add_optimization_profile(profile) < 0:
            words = next((m.text for m in messages if "Invalid optimization profiles" in m.text), "")
            raise TensorRTError("profile_invalid", words, profile=index, detail=_what_is_wrong(shapes))


def _set_shape(profile, index: int, name: str, low: Shape, opt: Shape, high: Shape) -> None:
    try:
        profile.set_shape(name, low, opt, high)
    except (RuntimeError, ValueError, TypeError) as error:
        detail = f"{name}: {low}, {opt}, {high}. {str(error).splitlines()[0]}"
        raise TensorRTError("profile_invalid", profile=index, detail=detail) from None


def _what_is_wrong(shapes: Profile) -> str:
    for name, (low, opt, high) in shapes.items():
        if not len(low) == len(opt) == len(high):
            return f"{name}: {low}, {opt}, {high} differ in their number of dimensions."
        for i, (a, b, c) in enumerate(zip(low, opt, high, strict=True)):
            if not a <= b <= c:
                return f"{name}: dimension {i} has min {a}, opt {b}, max {c}."
    return "TensorRT did not say more."


def _build_error(network: trt.INetworkDefinition, messages: list) -> TensorRTError:
    """Turn the builder's None into the reason that it logged."""
    errors = [m.text for m in messages if m.severity in "FE"]
    words = next((text for text in errors if "buildSerializedNetwork" in text), errors[-1] if errors else "")
    refusal = recognise(words)
    if refusal and refusal.key == "profile_missing":
        inputs = [network.get_input(i) for i in range(network.num_inputs)]
        names = ", ".join(t.name for t in inputs if -1 in tuple(t.shape))
        return TensorRTError("profile_missing", words, tensors=names)
    if refusal and refusal.key == "profile_incomplete":
        name, _, profile = words.split("input tensor ", 1)[1].partition(" is missing dimensions in profile ")
        return TensorRTError("profile_incomplete", words, tensor=name, profile=profile.split(".")[0])
    return TensorRTError("build_failed", words)


def save_plan(plan: trt.IHostMemory, path: str | Path) -> Path:
    """Write a plan to disk, all of it or nothing: a crash half-way leaves the old file whole.

    A plan carries the versions that it was built with: TensorRT's in its own header, and in the reference lane
    also those of this package, with a checksum over the whole file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(memoryview(plan).cast("B"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
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
    log = log or logger
    name, data = _plan_bytes(plan)
    with log.quietly() if isinstance(log, Logger) else nullcontext([]) as messages:
        engine = trt.Runtime(log).deserialize_cuda_engine(data)
    if engine is None:
        raise _plan_error(name, data, [m.text for m in messages if m.severity in "FE"])
    return engine


def _plan_bytes(plan: object) -> tuple[str, object]:
    if not isinstance(plan, str | Path):
        return "The plan", plan
    try:
        return Path(plan).name, Path(plan).read_bytes()
    except FileNotFoundError:
        raise TensorRTError("plan_missing", plan=plan) from None
    except OSError as error:
        raise TensorRTError("plan_unreadable", plan=plan, reason=error.strerror) from None


def _plan_error(name: str, data: object, errors: list[str]) -> TensorRTError:
    """Say what is wrong with a plan, from TensorRT's line and the file's first bytes."""
    words = errors[0] if errors else ""
    refusal = recognise(words)
    key = refusal.key if refusal else "plan_refused"
    between = lambda a, b: words.partition(a)[2].partition(b)[0]  # noqa: E731
    facts = {
        "plan": name,
        "lane": lane.name,
        "what": _what_is_it(bytes(memoryview(data).cast("B")[:4])),
        "reason": between("blobSize failed. ", ")") or "its length is not the one in its header.",
        "found": between("has format ", ","),
        "expected": between("reads format ", "."),
    }
    return TensorRTError(key, words, **facts)


def _what_is_it(first: bytes) -> str:
    kinds = {b"ftrt": "a plan of TensorRT", b"vtrt": "a plan of TensorRT-RTX", b"PK\x03\x04": "a PyTorch or zip file"}
    if first[:1] == b"\x08":
        return "an ONNX file"
    return kinds.get(first, "not a plan")
