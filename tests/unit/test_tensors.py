import pytest
import torch

import trt_helpers as th
from trt_helpers import tensors, trt

PAIRS = {
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


@pytest.mark.parametrize(("name", "dtype"), PAIRS.items())
def test_dtypes_both_ways(name, dtype):
    assert th.to_torch_dtype(getattr(trt.DataType, name)) is dtype
    assert th.to_trt_dtype(dtype) == getattr(trt.DataType, name)


@pytest.mark.parametrize("name", ["INT4", "FP4"])
def test_types_that_pytorch_lacks(name):
    with pytest.raises(TypeError, match=f"no dtype for TensorRT's {name}; it has FLOAT, HALF"):
        th.to_torch_dtype(getattr(trt.DataType, name))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.int16])
def test_types_that_tensorrt_lacks(dtype):
    with pytest.raises(TypeError, match=f"no data type for {dtype}; it has torch.float32"):
        th.to_trt_dtype(dtype)


def test_names_and_order(adder_engine):
    assert tensors.tensor_names(adder_engine) == ["x", "w", "y"]
    assert tensors.input_names(adder_engine) == ["x", "w"]
    assert tensors.output_names(adder_engine) == ["y"]


def test_io_tensors(lookup_engine):
    found = tensors.io_tensors(lookup_engine)
    assert found == {"ids": (True, torch.int64, th.device.type), "y": (False, torch.float32, th.device.type)}


def test_describe_engine(adder_engine, lookup_engine):
    table = th.describe_engine(adder_engine)
    assert list(table.index) == ["x", "w", "y"] and table.index.name == "tensor"
    assert list(table["mode"]) == ["INPUT", "INPUT", "OUTPUT"]
    assert list(table["engine shape"]) == ["(-1, -1)"] * 3
    assert set(table["dtype"]) == {"FLOAT"} and set(table["location"]) == {"DEVICE"}
    assert th.describe_engine(lookup_engine).loc["ids", "dtype"] == "INT64"
