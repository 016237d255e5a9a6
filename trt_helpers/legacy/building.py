"""``build_engine`` for the ways in which people passed shapes: one triple for all inputs, or one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from ..building.plan import Profile, build_plan, onnx_bytes
from ..building.refusals import Triple
from ..engine import deserialised
from ..errors import TensorRTError
from ..lanes import trt
from .engine import ICudaEngine
from .namespace import Runtime

Shape = tuple[int, ...]


def build_engine(
    runtime: Runtime,
    onnx_file_path: str | Path,
    logger: trt.ILogger,
    min_shape: Shape | None = None,
    optimal_shape: Shape | None = None,
    max_shape: Shape | None = None,
    workspace_size: int | None = None,
    fp16: bool = False,
    int8: bool = False,
    shapes: Mapping[str, Triple] | Sequence[Mapping[str, Triple]] | Triple | None = None,
) -> ICudaEngine:
    """ONNX file to engine, in one call.

        build_engine(runtime, "a.onnx", log, (1, 4), (1, 16), (8, 64))                  one triple for all inputs
        build_engine(runtime, "a.onnx", log, shapes=((1, 4), (1, 16), (8, 64)))         the same
        build_engine(runtime, "a.onnx", log, shapes={"ids": ((1, 4), (1, 16), (8, 64)), ...})
        build_engine(runtime, "a.onnx", log, shapes=[{"ids": ...}, {"ids": ...}])       two profiles

    Parameters:
        workspace_size: a limit is neither needed nor passed on: TensorRT may use the whole device memory, as it
            does by default since 8.4.
        fp16, int8: must be False. Weak typing is gone: the precision is the ONNX file's.

    Raises:
        TensorRTError: ``fp16`` or ``int8`` is asked for, or the build is refused.
        TypeError: shapes are given in both ways, or only some of the three.
    """
    for name, asked in {"fp16": fp16, "int8": int8}.items():
        if asked:
            raise TensorRTError("weak_typing", asked=f"{name}=True")
    triple = (min_shape, optimal_shape, max_shape)
    if any(triple) and (shapes is not None or None in triple):
        raise TypeError("Give min_shape, optimal_shape and max_shape, all three, or shapes.")
    profiles = _profiles(onnx_file_path, triple if any(triple) else shapes)
    return deserialised(runtime, build_plan(onnx_file_path, profiles, log=logger), logger)


def _profiles(onnx_file_path: str | Path, shapes: object) -> list[Profile]:
    """Today's profiles; a bare triple is meant for every dynamic input of the file."""
    if shapes is None:
        return []
    if isinstance(shapes, Mapping):
        return [Profile(dict(shapes))]
    if all(isinstance(profile, Mapping) for profile in shapes):
        return [Profile(dict(profile)) for profile in shapes]
    return [Profile.same(_dynamic_inputs(onnx_file_path), *shapes)]


def _dynamic_inputs(onnx_file_path: str | Path) -> list[str]:
    """The inputs with at least one open dimension."""
    name, data, _ = onnx_bytes(onnx_file_path)
    try:
        graph = onnx.load_from_string(data).graph
    except Exception:  # protobuf's own errors
        raise TensorRTError("onnx_unreadable", path=name, reason="it is no ONNX graph") from None
    weights = {initializer.name for initializer in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    return [v.name for v in inputs if not all(d.HasField("dim_value") for d in v.type.tensor_type.shape.dim)]
