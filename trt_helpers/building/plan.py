"""``build_plan``: an ONNX model and its optimization profiles to a plan. Lesson 1 writes it out by hand first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from ..errors import TensorRTError
from ..files import read_bytes
from ..lanes import trt
from ..log import Logger, collected, first_error, logger
from .progress import progress_monitor
from .refusals import Shape, Triple, build_error, check_profile, parse_error, profile_error, refuse_what_crashes
from .targets import ask_for_gpus, leave_out_turing

# TensorRT 10 would choose precisions itself unless told not to; TensorRT 11 and TensorRT-RTX never do, and ignore this.
_STRONGLY_TYPED = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


class Profile(dict):
    """An optimization profile: for each dynamic input the smallest, the likeliest and the largest shape.

        Profile(x=((1, 4), (4, 16), (8, 16)))

    An engine accepts every shape between min and max; it is tuned for opt, which decides speed only.
    """

    def __init__(self, shapes: dict[str, Triple] | None = None, **named: Triple) -> None:
        super().__init__({**(shapes or {}), **named})

    @classmethod
    def same(cls, names: Sequence[str], min: Shape, opt: Shape, max: Shape) -> Profile:
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
    profiles = [profiles] if isinstance(profiles, dict) else list(profiles)
    if not all(isinstance(profile, dict) for profile in profiles):
        raise TypeError("build_plan takes th.Profile(input_name=(min, opt, max)), or a list of them")
    with collected(log) as messages:
        builder = trt.Builder(log)
        network = builder.create_network(_STRONGLY_TYPED)
        _parse(trt.OnnxParser(network, log), network, onnx_model)
        config = builder.create_builder_config()
        ask_for_gpus(config)
        _add_profiles(builder, network, config, profiles, messages)
        plan = _built(builder, network, config, progress)
    if plan is None and (reason := leave_out_turing(config, messages)):
        if isinstance(log, Logger):
            log.forget(messages)  # nothing has failed yet
        log.log(trt.ILogger.Severity.INFO, f"The plan is not for GPUs of compute capability 7.5: {reason}")
        with collected(log) as messages:
            plan = _built(builder, network, config, progress)
    if plan is None:
        raise build_error(network, profiles, first_error(messages))
    return plan


def onnx_bytes(onnx_model: str | Path | bytes | onnx.ModelProto) -> tuple[str, bytes, str | None]:
    """What to call a model in messages, its bytes, and the file that they came from.

    Raises:
        TensorRTError: there is no such file, or it cannot be read.
    """
    if isinstance(onnx_model, onnx.ModelProto):
        return "the ONNX model", onnx_model.SerializeToString(), None
    if isinstance(onnx_model, bytes | bytearray | memoryview):
        return "the ONNX model", bytes(onnx_model), None
    path = Path(onnx_model)
    return path.name, read_bytes(path, "onnx_missing", "onnx_unreadable", path=str(path)), str(path)


def _parse(
    parser: trt.OnnxParser, network: trt.INetworkDefinition, onnx_model: str | Path | bytes | onnx.ModelProto
) -> None:
    name, data, path = onnx_bytes(onnx_model)
    refuse_what_crashes(name, data)
    # Weights may lie in a file of their own, whose place is known only from the model's.
    if not (parser.parse(data) if path is None else parser.parse(data, path)):
        raise parse_error(name, parser)
    if not network.num_inputs or not network.num_outputs:
        raise TensorRTError("onnx_empty", path=name, inputs=network.num_inputs, outputs=network.num_outputs)


def _add_profiles(
    builder: trt.Builder, network: trt.INetworkDefinition, config: trt.IBuilderConfig, profiles: list, messages: list
) -> None:
    known = [network.get_input(i).name for i in range(network.num_inputs)]
    for index, shapes in enumerate(profiles):
        check_profile(index, shapes, known)
        profile = builder.create_optimization_profile()
        for name, three in shapes.items():
            profile.set_shape(name, *three)
        if config.add_optimization_profile(profile) < 0:
            raise profile_error(index, shapes, first_error(messages))


def _built(
    builder: trt.Builder, network: trt.INetworkDefinition, config: trt.IBuilderConfig, progress: bool | None
) -> trt.IHostMemory | None:
    with progress_monitor(progress) as monitor:
        if monitor is not None:
            config.progress_monitor = monitor
        return builder.build_serialized_network(network, config)
