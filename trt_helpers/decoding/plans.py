"""The decoder's plan: built once for its length buckets, this TensorRT and this GPU, and found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from ..building.plan import build_plan
from ..engine import load_engine, save_plan
from ..errors import TensorRTError
from ..lanes import device, lane, trt
from ..tensors import tensor_names
from .buckets import Bucket
from .graph import OUTPUTS, POSITIONS
from .model import INPUTS


def built_once(onnx_file: Path, buckets: Sequence[Bucket]) -> tuple[Path, trt.ICudaEngine]:
    """The plan beside the file that ``export_decoder`` wrote, and its engine; built if there is none."""
    gpu = torch.cuda.get_device_name() if device.type == "cuda" else ""
    what = repr((lane.name, trt.__version__, gpu, [tuple(bucket) for bucket in buckets]))
    path = onnx_file.with_name(f"{onnx_file.stem}-{hashlib.sha256(what.encode()).hexdigest()[:12]}.plan")
    if path.exists():
        with suppress(TensorRTError):  # damaged, or of an older trt_helpers: build it again
            return path, load_engine(path)
    plan = build_plan(onnx_file, [bucket.profile() for bucket in buckets])
    return save_plan(plan, path), load_engine(plan)


def buckets_of(engine: trt.ICudaEngine) -> list[Bucket]:
    """The length buckets that an engine was built with, one for each optimization profile.

    Raises:
        ValueError: it was built from something else.
    """
    if set(tensor_names(engine)) != {*INPUTS, POSITIONS, *OUTPUTS}:
        found = ", ".join(tensor_names(engine))
        raise ValueError(f"a decoder needs an engine made from export_decoder's ONNX file; this one has {found}")
    buckets = []
    for k in range(engine.num_optimization_profiles):
        low, _, high = engine.get_tensor_profile_shape(INPUTS[0], k)
        masks = engine.get_tensor_profile_shape(POSITIONS, k)[2][0]
        buckets.append(Bucket(shortest=low[1], longest=high[1], rows=high[0], masks=masks))
    return buckets
