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
    "trt": "backend",
    "lane": "backend",
    "device": "backend",
    "show_lane": "doctor",
    "Lane": "backend",
    "LaneError": "backend",
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
    "draw_profiles": "plots",
    "picture": "plots",
    "EngineExplorer": "views",
    "engine_facts": "views",
    "render_engine": "views",
    # lesson 3: setting shapes
    "data_dependent_plan": "data_dependent",
    "ShapePlayground": "views",
    "request_facts": "views",
    "render_request": "views",
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
    "draw_timeline": "plots",
    "StreamTimeline": "views",
    "measure_streams": "views",
    "explain_streams": "views",
    "render_timeline": "views",
    "draw_streams": "views",
    # lesson 5: masked-word decoding
    "load_masked_lm": "masked_lm",
    "export_onnx": "masked_lm",
    "tokenize": "masked_lm",
    "find_masks": "masked_lm",
    "decode_top_k": "masked_lm",
    "fill_in": "sentences",
    "FillInTheBlank": "views",
    "render_words": "views",
    "draw_words": "views",
    # lesson 6: what TensorRT 8 code calls (trt_helpers.legacy has the rest)
    "get_binding_idxs": "legacy",
    "get_output_tensors": "legacy",
    "infer_tensorrt": "legacy",
    "save_engine": "legacy",
    # lesson 7: making it fast
    "export_decoder": "decoding_graph",
    "MaskedWordDecoder": "decoder",
    "draw_waterfall": "plots",
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
