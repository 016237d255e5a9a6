"""Support module of the course on TensorRT's Python runtime: small helpers, one idea a file.

    import trt_helpers as th
    from trt_helpers import trt        # TensorRT in the lane of this machine

Each helper does what a lesson first writes out by hand, and names the lesson in its docstring. What only lessons need,
pictures, views and exercises' checks, is in ``trt_helpers.course``. A name is imported when it is first used: whoever
only asks what an error means needs neither PyTorch nor a lane.
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
    "LaneError": "lanes",
    "Logger": "log",
    "logger": "log",
    "TensorRTError": "errors",
    "Profile": "building.plan",
    "build_plan": "building.plan",
    "save_plan": "engine",
    "load_engine": "engine",
    "describe_engine": "tensors",
    "to_torch_dtype": "tensors",
    "to_trt_dtype": "tensors",
    "set_input_shapes": "binding",
    "allocate_outputs": "binding",
    "bind": "binding",
    "infer": "execution",
    "Stream": "streams",
    # lesson 2: bindings and profiles
    "describe_profiles": "tensors",
    # lesson 4: asynchronous execution and streams
    "Event": "streams",
    "Gate": "streams",
    "copy_async": "streams",
    "default_stream": "streams",
    "pinned_empty": "streams",
    "infer_async": "async_execution",
    "Pipeline": "pipeline",
    "Timeline": "timeline",
    "overlap_ms": "timeline",
    # lesson 5: masked-word decoding
    "load_masked_lm": "decoding.model",
    "export_onnx": "decoding.model",
    "tokenize": "decoding.model",
    "find_masks": "decoding.model",
    "decode_top_k": "decoding.model",
    "fill_in": "decoding.sentences",
    # lesson 6: what TensorRT 8 code calls (trt_helpers.legacy has the rest)
    "get_binding_idxs": "legacy",
    "get_output_tensors": "legacy",
    "infer_tensorrt": "legacy",
    "save_engine": "legacy",
    # lesson 7: making it fast
    "export_decoder": "decoding.graph",
    "MaskedWordDecoder": "decoding.decoder",
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
