"""TensorRT with the members of version 8: the lane's own names, and a ``Runtime`` that hands out views.

``from trt_helpers.legacy import trt`` takes the place of ``import tensorrt as trt`` in old code.
"""

from __future__ import annotations

from ..lanes import trt
from .context import IExecutionContext
from .engine import ICudaEngine
from .view import View

__all__ = ["ICudaEngine", "IExecutionContext", "Runtime"]


class Runtime(View):
    """The lane's runtime; its engines have TensorRT 8's members.

    Parameters:
        logger: any ``ILogger`` of the lane.
    """

    def __init__(self, logger: trt.ILogger) -> None:
        super().__init__(trt.Runtime(logger))

    def deserialize_cuda_engine(self, serialized_engine: object) -> ICudaEngine | None:
        """A view of the engine in a plan; None, and a line in the log, if there is none."""
        engine = self.real.deserialize_cuda_engine(serialized_engine)
        return None if engine is None else ICudaEngine(engine, self.real.logger)


def __getattr__(name: str) -> object:
    """Everything that is not a view is the lane's own."""
    return getattr(trt, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(trt)})
