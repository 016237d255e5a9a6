"""``python -m trt_helpers``: what this machine can run, why, and whether it really does."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import torch

from .backend import device, lane, trt

PACKAGES = (
    "tensorrt",
    "tensorrt_rtx",
    "torch",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "transformers",
    "jupyterlab",
)

WHAT_IS_REAL = {
    "tensorrt": "parser, builder and runtime are TensorRT's",
    "tensorrt_rtx": "parser, builder and runtime are TensorRT-RTX's",
    "reference": "parser and builder are TensorRT-RTX's; the runtime is a stand-in on ONNX Runtime, not TensorRT",
}


def show_lane() -> None:
    """Print the lane, what is real in it, and the versions. The first cell of every lesson."""
    print(f"lane      {lane.name}: {WHAT_IS_REAL[lane.name]}")
    print(f"TensorRT  {'tensorrt' if lane.name == 'tensorrt' else 'tensorrt_rtx'} {trt.__version__}")
    print(f"PyTorch   {torch.__version__} on {device.type}, Python {platform.python_version()}")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _providers() -> str:
    try:
        import onnxruntime
    except ImportError:  # only the reference lane needs it
        return "not installed"
    return ", ".join(onnxruntime.get_available_providers())


def _gpus() -> list[str]:
    found = []
    for index in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(index)
        found.append(f"{torch.cuda.get_device_name(index)}, compute capability {major}.{minor}")
    return found or ["none that PyTorch sees"]


def _section(title: str, rows: dict[str, str]) -> None:
    print(f"\n{title}")
    width = max(len(name) for name in rows)
    for name, text in rows.items():
        print(f"  {name:<{width}}  {text}")


def try_inference() -> str:
    """Build the shipped model, run one sentence, and say what came out and how long it took."""
    from . import engine, execution, masked_lm

    lm = masked_lm.load_masked_lm()
    profile = engine.Profile.same(masked_lm.INPUTS, (1, 4), (1, 16), (4, 64))
    plan = engine.build_plan(masked_lm.export_onnx(lm), profile)
    context = engine.load_engine(plan).create_execution_context()
    inputs = masked_lm.tokenize(lm, "Paris is the [MASK] of France.")
    on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
    execution.infer(context, on_device)  # the first run pays for lazy set-up
    start = time.perf_counter()
    logits = execution.infer(context, on_device)["logits"]
    milliseconds = 1000 * (time.perf_counter() - start)
    row, position = masked_lm.find_masks(lm, inputs["input_ids"])[0]
    word = masked_lm.decode_top_k(lm, logits[row, position], k=1)[0].word
    return f"Paris is the {word} of France. ({milliseconds:.1f} ms)"


def main() -> int:
    """Print the report. 0 if the lane works, 1 if its inference failed."""
    from . import masked_lm

    print(f"This machine gets the lane '{lane.name}': {lane.why}.")
    print(f"In it, {WHAT_IS_REAL[lane.name]}.")
    _section("Why not the other lanes", lane.others)
    _section("Versions", {"python": platform.python_version(), **{p: _installed(p) for p in PACKAGES}})
    machine = {
        "system": f"{platform.system()} {platform.machine()}",
        "GPU": "; ".join(_gpus()),
        "ONNX Runtime": _providers(),
        "model": "shipped, found" if masked_lm.MODEL_FOLDER.exists() else "the shipped model is missing",
    }
    _section("Machine", machine)
    try:
        result = try_inference()
    except Exception as error:
        print(f"\nOne inference  FAILED: {error}", file=sys.stderr)
        return 1
    _section("One inference", {"result": result})
    return 0
