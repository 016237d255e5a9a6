"""Support module of the course on TensorRT's Python runtime: small helpers, one idea a file.

    import trt_helpers as th
    from trt_helpers import trt        # TensorRT in the lane of this machine

Each helper does what a lesson first writes out by hand, and names the lesson in its docstring.
"""

from .backend import Lane, LaneError, device, lane, trt
from .doctor import show_lane
from .engine import Logger, Profile, build_plan, load_engine, logger, save_plan
from .errors import TensorRTError
from .execution import allocate_outputs, bind, infer, set_input_shapes
from .masked_lm import decode_top_k, export_onnx, find_masks, load_masked_lm, tokenize
from .streams import Stream
from .tensors import describe_engine, to_torch_dtype, to_trt_dtype

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
    # masked-word decoding
    "load_masked_lm",
    "export_onnx",
    "tokenize",
    "find_masks",
    "decode_top_k",
]
