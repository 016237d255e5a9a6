"""An engine's I/O tensors by name: dtypes, shapes, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from .lanes import device, trt

if TYPE_CHECKING:  # imported where a table is made: it takes a second
    import pandas as pd

# Every TensorRT type that PyTorch can hold. INT4, FP4 and E8M0 have no counterpart.
_TORCH = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT8": torch.int8,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "FP8": torch.float8_e4m3fn,
}


def to_torch_dtype(dtype: trt.DataType) -> torch.dtype:
    """``trt.DataType.HALF`` -> ``torch.float16``. Unlike ``trt.nptype`` it knows BF16 and FP8.

    Raises:
        TypeError: PyTorch has no such type.
    """
    if dtype.name not in _TORCH:
        raise TypeError(f"PyTorch has no dtype for TensorRT's {dtype.name}; it has {', '.join(_TORCH)}")
    return _TORCH[dtype.name]


def to_trt_dtype(dtype: torch.dtype) -> trt.DataType:
    """``torch.float16`` -> ``trt.DataType.HALF``.

    Raises:
        TypeError: TensorRT has no such type (float64, for example).
    """
    for name, known in _TORCH.items():
        if known == dtype:
            return getattr(trt.DataType, name)
    listed = ", ".join(str(known) for known in _TORCH.values())
    raise TypeError(f"TensorRT has no data type for {dtype}; it has {listed}")


class IOTensor(NamedTuple):
    """What a tensor must be to be bound under a name. ``device`` is ``"cuda"`` or ``"cpu"``."""

    is_input: bool
    dtype: torch.dtype
    device: str


def io_tensors(engine: trt.ICudaEngine) -> dict[str, IOTensor]:
    """All I/O tensors by name, inputs first."""
    found = {}
    for name in tensor_names(engine):
        # Shape inputs, whose values TensorRT reads to compute shapes, live on the host in every lane.
        on_host = engine.get_tensor_location(name) == trt.TensorLocation.HOST
        found[name] = IOTensor(
            is_input=engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
            dtype=to_torch_dtype(engine.get_tensor_dtype(name)),
            device="cpu" if on_host else device.type,
        )
    return found


def tensor_names(engine: trt.ICudaEngine) -> list[str]:
    """All I/O tensors, inputs first."""
    return [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]


def input_names(engine: trt.ICudaEngine) -> list[str]:
    """The inputs, in the order of the network."""
    return [n for n in tensor_names(engine) if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]


def output_names(engine: trt.ICudaEngine) -> list[str]:
    """The outputs, in the order of the network."""
    return [n for n in tensor_names(engine) if engine.get_tensor_mode(n) == trt.TensorIOMode.OUTPUT]


def describe_engine(engine: trt.ICudaEngine) -> pd.DataFrame:
    """One row for each I/O tensor: name, mode, dtype, engine shape (-1: known only at run time), location."""
    import pandas as pd

    rows = [
        {
            "mode": engine.get_tensor_mode(name).name,
            "dtype": engine.get_tensor_dtype(name).name,
            "engine shape": str(tuple(engine.get_tensor_shape(name))),
            "location": engine.get_tensor_location(name).name,
        }
        for name in tensor_names(engine)
    ]
    return pd.DataFrame(rows, index=pd.Index(tensor_names(engine), name="tensor"))


def describe_profiles(engine: trt.ICudaEngine) -> pd.DataFrame:
    """One row for each profile and dynamic input: the smallest, the likeliest and the largest shape.

    Inputs without a dynamic dimension have no choice in any profile and are left out.
    """
    import pandas as pd

    dynamic = [name for name in input_names(engine) if -1 in tuple(engine.get_tensor_shape(name))]
    rows = [(k, name) for k in range(engine.num_optimization_profiles) for name in dynamic]
    shapes = [[str(tuple(shape)) for shape in engine.get_tensor_profile_shape(name, k)] for k, name in rows]
    index = pd.MultiIndex.from_tuples(rows, names=["profile", "input"])
    return pd.DataFrame(shapes, index=index, columns=["min", "opt", "max"])
