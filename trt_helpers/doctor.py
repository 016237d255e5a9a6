"""``python -m trt_helpers``: what this machine can run, why, and whether it really does."""

from __future__ import annotations

import json
import platform
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .lanes import LaneError

# What to look for, and the names under which it is distributed.
PACKAGES = {
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "tensorrt_rtx": ("tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12"),
} | {name: (name,) for name in ("torch", "onnx", "onnxruntime", "onnxruntime-gpu", "transformers", "jupyterlab")}

WHAT_IS_REAL = {
    "tensorrt": "parser, builder and runtime are TensorRT's",
    "tensorrt_rtx": "parser, builder and runtime are TensorRT-RTX's",
    "reference": "parser and builder are TensorRT-RTX's; the runtime is a stand-in on ONNX Runtime, not TensorRT",
}


def show_lane() -> None:
    """Print the lane, what is real in it, and the versions. The first cell of every lesson."""
    import torch

    from .lanes import device, lane, trt

    print(f"lane      {lane.name}: {WHAT_IS_REAL[lane.name]}")
    print(f"TensorRT  {'tensorrt' if lane.name == 'tensorrt' else 'tensorrt_rtx'} {trt.__version__}")
    print(f"PyTorch   {torch.__version__} on {device.type}, Python {platform.python_version()}")


def _installed(package: str) -> str:
    for name in PACKAGES[package]:
        with suppress(PackageNotFoundError):
            return version(name)
    return "not installed"


def _providers() -> str:
    try:
        import onnxruntime
    except ModuleNotFoundError:  # only the reference lane needs it
        return "not installed"
    except Exception as error:  # a missing library raises almost anything
        return f"cannot be imported: {error}"
    return ", ".join(onnxruntime.get_available_providers())


def _gpus() -> str:
    try:
        import torch
    except Exception as error:
        return f"not known: PyTorch cannot be imported ({error})"
    found = []
    for index in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(index)
        found.append(f"{torch.cuda.get_device_name(index)}, compute capability {major}.{minor}")
    return "; ".join(found) or "none that PyTorch sees"


def _section(title: str, rows: dict[str, str]) -> None:
    print(f"\n{title}")
    width = max(len(name) for name in rows)
    for name, text in rows.items():
        print(f"  {name:<{width}}  {text}")


def try_inference() -> str:
    """Build the shipped model, run one sentence, and say what came out and how long it took."""
    from .building.plan import Profile, build_plan
    from .decoding import model as masked_lm
    from .engine import load_engine
    from .execution import infer
    from .lanes import device

    lm = masked_lm.load_masked_lm()
    plan = build_plan(
        masked_lm.export_onnx(lm), Profile.same(masked_lm.INPUTS, (1, 4), (1, 16), (4, 64)), progress=False
    )
    context = load_engine(plan).create_execution_context()
    inputs = masked_lm.tokenize(lm, "Paris is the [MASK] of France.")
    on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
    infer(context, on_device)  # the first run pays for lazy set-up
    start = time.perf_counter()
    logits = infer(context, on_device)["logits"]
    milliseconds = 1000 * (time.perf_counter() - start)
    row, position = masked_lm.find_masks(lm, inputs["input_ids"])[0]
    word = masked_lm.decode_top_k(lm, logits[row, position], k=1)[0].word
    return f"Paris is the {word} of France. ({milliseconds:.1f} ms)"


def facts() -> dict[str, object]:
    """What a bug report needs: lane, reasons, versions, machine. No paths, no user or host name."""
    return {
        **_lane_facts(),
        "versions": {"python": platform.python_version(), **{p: _installed(p) for p in PACKAGES}},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "GPU": _gpus(),
            "ONNX Runtime": _providers(),
        },
    }


def _lane_facts() -> dict[str, object]:
    """The lane and its reasons; where none works that is what the report is for."""
    try:
        from .lanes import lane
    except LaneError as error:
        return {"lane": "none", "why": str(error)}
    from .decoding import model as masked_lm

    return {
        "lane": lane.name,
        "why": lane.why,
        "what is real": WHAT_IS_REAL[lane.name],
        "why not the others": lane.others,
        "model": "shipped, found" if masked_lm.MODEL_FOLDER.exists() else "the shipped model is missing",
    }


def without_paths(text: str) -> str:
    """A text to show to others: it must not tell where somebody's files are, or who they are."""
    root = Path(__file__).resolve().parent.parent
    private = {str(root): "<course>", sys.prefix: "<python>", str(Path.home()): "~", platform.node(): "<host>"}
    for secret, shown in sorted(private.items(), key=lambda item: -len(item[0])):
        text = text.replace(secret, shown) if len(secret) > 2 else text
    return text


def shareable(value: object) -> object:
    """The same without paths and names, in every text inside. Before JSON, which would spell them another way."""
    if isinstance(value, str):
        return without_paths(value)
    if isinstance(value, dict):
        return {without_paths(str(key)): shareable(inner) for key, inner in value.items()}
    return [shareable(inner) for inner in value] if isinstance(value, list | tuple) else value


def main(as_json: bool = False) -> int:
    """Print the report, as text or as JSON for a bug report. 0 if the lane works, 1 if there is none or it fails."""
    found = facts()
    if not as_json:
        _print_facts(found)
    result, failure = "", "there is no lane to run it in"
    if found["lane"] != "none":
        try:
            result, failure = try_inference(), ""
        except Exception as error:
            failure = without_paths(str(error))
    if as_json:
        report = {**found, "one inference": {"result": result, "failure": failure}}
        print(json.dumps(shareable(report), indent=2))
    elif failure:
        print(f"\nOne inference  FAILED: {failure}", file=sys.stderr)
    else:
        _section("One inference", {"result": result})
    return 1 if failure else 0


def _print_facts(found: dict[str, object]) -> None:
    if found["lane"] == "none":
        print(found["why"])
    else:
        print(f"This machine gets the lane '{found['lane']}': {found['why']}.")
        print(f"In it, {found['what is real']}.")
        _section("Why not the other lanes", found["why not the others"])
    _section("Versions", found["versions"])
    _section("Machine", found["machine"] | ({"model": found["model"]} if "model" in found else {}))
