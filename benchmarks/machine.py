"""What the figures were measured on: processor, versions, and the rate of its matrix products."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime as ort
import torch

PACKAGES = ("torch", "onnxruntime", "transformers", "tokenizers", "tensorrt-rtx", "numpy")
SIDE = 2048  # of the square matrices


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(device: torch.device) -> dict[str, str]:
    """Names and versions, without the name of the host."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    gpu = {"GPU": torch.cuda.get_device_name()} if device.type == "cuda" else {}
    system = f"{platform.system()} {platform.machine()}"
    return {"processor": _processor(), "cores": str(cores()), **gpu, "system": system, **_python(), **versions}


def _python() -> dict[str, str]:
    return {"Python": platform.python_version()}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def matrix_products(device: torch.device) -> dict[str, Callable[[], float]]:
    """For each library a function that multiplies two float32 matrices once and returns operations a second.

    On the CPU both PyTorch and ONNX Runtime are asked: which is faster depends on the processor.
    """
    functions = {"PyTorch": _pytorch_product(device)}
    if device.type == "cpu":
        functions["ONNX Runtime"] = _onnxruntime_product()
    return functions


def _rate(product: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    product()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 2 * SIDE**3 / (time.perf_counter() - start)


def _pytorch_product(device: torch.device) -> Callable[[], float]:
    a, b = (torch.rand(SIDE, SIDE, device=device) for _ in range(2))
    return lambda: _rate(lambda: a @ b, device)


def _onnxruntime_product() -> Callable[[], float]:
    a, b = (torch.rand(SIDE, SIDE).numpy() for _ in range(2))
    made = onnx.helper
    info = [made.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (SIDE, SIDE)) for name in "ac"]
    weights = [onnx.numpy_helper.from_array(b, "b")]
    graph = made.make_graph([made.make_node("MatMul", ["a", "b"], ["c"])], "product", info[:1], info[1:], weights)
    model = made.make_model(graph, opset_imports=[made.make_opsetid("", 20)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = cores()
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: _rate(lambda: session.run(None, {"a": a}), torch.device("cpu"))
