"""Support module of the course on TensorRT's Python runtime: small helpers, one idea a file.

    import trt_helpers as th
    from trt_helpers import trt        # TensorRT in the lane of this machine

Each helper does what a lesson first writes out by hand, and names the lesson in its docstring.
"""

import sys

try:
    from .backend import Lane, LaneError, device, lane, trt
except ImportError as error:
    # `python -m trt_helpers` imports the package before its own first line, and has "-m" as its name until then.
    # The doctor's answer is this message; a traceback would bury it.
    if sys.argv[:1] == ["-m"]:
        sys.exit(str(error))
    raise

from .async_execution import InferenceFuture, infer_async
from .data_dependent import data_dependent_plan
from .decoder import MaskedWordDecoder
from .decoding_graph import export_decoder
from .doctor import show_lane
from .engine import Profile, build_plan, load_engine, save_plan
from .errors import TensorRTError
from .execution import allocate_outputs, bind, infer, set_input_shapes
from .explain import explain
from .legacy import get_binding_idxs, get_output_tensors, infer_tensorrt, save_engine
from .log import Logger, logger
from .masked_lm import decode_top_k, export_onnx, find_masks, load_masked_lm, tokenize
from .pipeline import Pipeline, PipelineFuture
from .sentences import fill_in
from .streams import Event, Gate, Stream, copy_async, default_stream, pinned_empty
from .tensors import describe_engine, describe_profiles, to_torch_dtype, to_trt_dtype
from .timeline import Timeline, overlap_ms

__version__ = "0.1.0"

__all__ = [
    # lesson 1: core concepts
    "trt",
    "lane",
    "device",
    "show_lane",
    "Lane",
    "LaneError",
    "Logger",
    "logger",
    "TensorRTError",
    "Profile",
    "build_plan",
    "save_plan",
    "load_engine",
    "describe_engine",
    "to_torch_dtype",
    "to_trt_dtype",
    "set_input_shapes",
    "allocate_outputs",
    "bind",
    "infer",
    "Stream",
    # lesson 2: bindings and profiles
    "describe_profiles",
    "draw_profiles",
    "EngineExplorer",
    "engine_facts",
    "render_engine",
    # lesson 3: setting shapes
    "data_dependent_plan",
    "ShapePlayground",
    "request_facts",
    "render_request",
    # lesson 4: asynchronous execution and streams
    "Event",
    "Gate",
    "copy_async",
    "default_stream",
    "pinned_empty",
    "infer_async",
    "InferenceFuture",
    "Pipeline",
    "PipelineFuture",
    "Timeline",
    "overlap_ms",
    "draw_timeline",
    "StreamTimeline",
    "measure_streams",
    "explain_streams",
    "render_timeline",
    "draw_streams",
    # lesson 5: masked-word decoding
    "load_masked_lm",
    "export_onnx",
    "tokenize",
    "find_masks",
    "decode_top_k",
    "fill_in",
    "FillInTheBlank",
    "render_words",
    "draw_words",
    # lesson 6: what TensorRT 8 code calls (trt_helpers.legacy has the rest)
    "get_binding_idxs",
    "get_output_tensors",
    "infer_tensorrt",
    "save_engine",
    # lesson 7: making it fast
    "export_decoder",
    "MaskedWordDecoder",
    "draw_waterfall",
    # an error text that you cannot place
    "explain",
]


def __getattr__(name: str) -> object:
    """Pictures and views, at first use: whoever only infers, a worker or a server, has no use for them."""
    if name in __all__:
        from . import plots

        if hasattr(plots, name):
            return getattr(plots, name)
        from . import views

        return getattr(views, name)
    raise AttributeError(f"module 'trt_helpers' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What completion offers: also what is not imported yet."""
    return sorted({*globals(), *__all__})
