"""Plans for graphs whose output sizes depend on the data (``NonZero``), where the lane has them. Lesson 3 uses it."""

from __future__ import annotations

from ..building.plan import Profile, build_plan
from ..lanes import lane, trt
from ..log import logger


def data_dependent_plan(onnx_model: bytes, profile: Profile) -> trt.IHostMemory | None:
    """A plan for a graph with data-dependent output sizes.

    The lane ``tensorrt`` builds it like any other. TensorRT-RTX has no such outputs: the lane ``reference``, whose
    builder is TensorRT-RTX's, makes the plan from ONNX alone, without NVIDIA's builder, and logs that it does; the
    lane ``tensorrt_rtx`` says why it cannot.

    Returns:
        The plan, or None in the lane ``tensorrt_rtx``.

    Raises:
        TensorRTError: TensorRT's parser or builder refused the graph.
        ValueError: the graph or the profile is no good; in the lane ``reference``.
    """
    if lane.name == "reference":
        return trt.plan_from_onnx_alone(onnx_model, [profile], logger)
    if lane.name == "tensorrt_rtx":
        print("Skipped: TensorRT-RTX has no output shapes that depend on the data. TensorRT has.")
        return None
    return build_plan(onnx_model, profile)
