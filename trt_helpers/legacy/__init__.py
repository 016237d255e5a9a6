"""TensorRT 8's binding numbers, as a view over today's named tensors. Lesson 6.

    from trt_helpers.legacy import trt      # instead of: import tensorrt as trt

Runtime code of TensorRT 8 then runs with its calls unchanged, in every lane: ``num_bindings``, ``binding_is_input``,
``set_binding_shape``, ``execute_async_v2`` and the others. It is there to run what you have while you rewrite it.

    indices.py     the arithmetic: T tensors in K profiles are T x K bindings
    engine.py      what ICudaEngine had
    context.py     what IExecutionContext had
    namespace.py   the namespace with a Runtime that hands out both
    workflow.py    get_binding_idxs, get_output_tensors, infer_tensorrt, save_engine, load_engine
    building.py    build_engine

Where the installed ``tensorrt`` is 8.5 or 8.6 and there is a GPU, ``trt`` is that module itself, and the functions take
its engines as they are. No such version was at hand: this is untested.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from .. import lanes
from ..log import logger
from . import namespace
from .building import build_engine
from .engine import ICudaEngine
from .workflow import get_binding_idxs, get_output_tensors, infer_tensorrt, load_engine, save_engine

__all__ = ["trt", "view", "get_binding_idxs", "get_output_tensors", "infer_tensorrt"]
__all__ += ["save_engine", "load_engine", "build_engine"]


def view(engine: lanes.trt.ICudaEngine, log: lanes.trt.ILogger | None = None) -> ICudaEngine:
    """An engine with TensorRT 8's members; one that has them already, as it is.

    Parameters:
        log: where refusals go; default: ``trt_helpers.logger``.
    """
    return engine if hasattr(engine, "num_bindings") else ICudaEngine(engine, log or logger)


def _namespace() -> ModuleType:
    """A real TensorRT 8 needs no view. The lane's choice has imported it, if it is installed."""
    installed = sys.modules.get("tensorrt")
    is_8 = hasattr(getattr(installed, "ICudaEngine", None), "num_bindings")
    forced = os.environ.get(lanes.FORCE)
    return installed if is_8 and lanes.device.type == "cuda" and not forced else namespace


trt = _namespace()
