"""The reference runtime: a stand-in for TensorRT's runtime where no GPU runs it. It is not TensorRT.

``import trt_helpers.reference as trt`` gives TensorRT-RTX's own names (its real ``Builder``, ``OnnxParser``,
enums, ``Dims``), with three classes replaced by ours, ``Runtime``, ``ICudaEngine`` and ``IExecutionContext``,
and the small ones that they hand out.
They follow TensorRT's documented behaviour call by call and run the same ONNX graph with ONNX Runtime.

The parser and the builder are NVIDIA's. ``Builder``, ``IBuilderConfig`` and ``OnnxParser`` here only remember
the ONNX bytes and the profiles that they are given, and append them to the real plan, where ``Runtime`` finds
them again (``plan.py``).

Nothing here says anything about TensorRT's speed: ONNX Runtime does the work.
"""

import tensorrt_rtx as _rtx

from .builder import Builder, IBuilderConfig, OnnxParser
from .context import IExecutionContext
from .engine import ICudaEngine
from .onnx_alone import plan_from_onnx_alone
from .plan import tensorrt_rtx_part
from .runtime import Runtime
from .runtime_config import EngineInspector, IRuntimeConfig, ISerializationConfig

__all__ = [
    # in the place of NVIDIA's
    "Builder",
    "EngineInspector",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IRuntimeConfig",
    "ISerializationConfig",
    "OnnxParser",
    "Runtime",
    # what only this lane has
    "plan_from_onnx_alone",
    "tensorrt_rtx_part",
]


def __getattr__(name: str) -> object:
    """Everything that is not replaced here is TensorRT-RTX's own."""
    return getattr(_rtx, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(_rtx)})
