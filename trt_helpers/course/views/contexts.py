"""A context on a profile of your choice, as every view asks one."""

from __future__ import annotations

from ...lanes import trt
from ...streams import Stream


def context_on(engine: trt.ICudaEngine, profile: int) -> trt.IExecutionContext:
    """A fresh context, once the switch to that profile is done.

    Raises:
        RuntimeError: there is no such profile; TensorRT's own error.
    """
    context, stream = engine.create_execution_context(), Stream()
    context.set_optimization_profile_async(profile, stream.handle)
    stream.synchronize()
    return context
