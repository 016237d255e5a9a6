"""Support module of the course on TensorRT's Python runtime: small helpers, one idea a file.

    import trt_helpers as th
    from trt_helpers import trt        # TensorRT in the lane of this machine

Each helper does what a lesson first writes out by hand, and names the lesson in its docstring. A name is imported when
it is first used: whoever only asks what an error means needs neither PyTorch nor a lane.
"""

import importlib
import importlib.util

from .explain import explain

__version__ = "0.1.0"

# The file that each public name is in.
_HOMES = {
    # lesson 1: core concepts
    "trt": "lanes",
    "lane": "lanes",
    "device": "lanes",
    "show_lane": "doctor",
    "Lane": "lanes",
    "LaneError": "lanes",
    "Logger": "log",
    "logger": "log",
    "TensorRTError": "errors",
    "Profile": "engine",
    "build_plan": "engine",
    "save_plan": "engine",
    "load_engine": "engine",
    "describe_engine": "tensors",
    "to_torch_dtype": "tensors",
    "to_trt_dtype": "tensors",
    "set_input_shapes": "execution",
    "allocate_outputs": "execution",
    "bind": "execution",
    "infer": "execution",
    "Stream": "streams",
    # lesson 2: bindings and profiles
    "describe_profiles": "tensors",
    "draw_profiles": "course.plots",
    "picture": "course.plots",
    "EngineExplorer": "course.views",
    "engine_facts": "course.views",
    "render_engine": "course.views",
    # lesson 3: setting shapes
    "data_dependent_plan": "course.data_dependent",
    "ShapePlayground": "course.views",
    "request_facts": "course.views",
    "render_request": "course.views",
    # lesson 4: asynchronous execution and streams
    "Event": "streams",
    "Gate": "streams",
    "copy_async": "streams",
    "default_stream": "streams",
    "pinned_empty": "streams",
    "infer_async": "async_execution",
    "InferenceFuture": "async_execution",
    "Pipeline": "pipeline",
    "PipelineFuture": "pipeline",
    "Timeline": "timeline",
    "overlap_ms": "timeline",
    "draw_timeline": "course.plots",
    "StreamTimeline": "course.views",
    "measure_streams": "course.views",
    "explain_streams": "course.views",
    "render_timeline": "course.views",
    "draw_streams": "course.views",
    # lesson 5: masked-word decoding
    "load_masked_lm": "decoding.model",
    "export_onnx": "decoding.model",
    "tokenize": "decoding.model",
    "find_masks": "decoding.model",
    "decode_top_k": "decoding.model",
    "fill_in": "decoding.sentences",
    "FillInTheBlank": "course.views",
    "render_words": "course.views",
    "draw_words": "course.views",
    # lesson 6: what TensorRT 8 code calls (trt_helpers.legacy has the rest)
    "get_binding_idxs": "legacy",
    "get_output_tensors": "legacy",
    "infer_tensorrt": "legacy",
    "save_engine": "legacy",
    # lesson 7: making it fast
    "export_decoder": "decoding.graph",
    "MaskedWordDecoder": "decoding.decoder",
    "draw_waterfall": "course.plots",
}

# The last one is there from the start, for an error text that you cannot place.
__all__ = [*_HOMES, "explain"]


def __getattr__(name: str) -> object:
    """A public name, or a file of the package, at its first use."""
    if name in _HOMES:
        found = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = found
        return found
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'trt_helpers' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What completion offers: also what is not imported yet."""
    return sorted({*globals(), *__all__})
