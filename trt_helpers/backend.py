"""Which TensorRT this machine gets, and why.

There are three lanes. The same lessons run in each:

* ``tensorrt``: TensorRT 10 or newer, and a CUDA GPU that it supports.
* ``tensorrt_rtx``: TensorRT for RTX, and an RTX GPU that it supports.
* ``reference``: no such GPU. NVIDIA's parser and builder work all the same (TensorRT-RTX's, on the CPU); the
  runtime is this package's stand-in on ONNX Runtime. It is not TensorRT and says nothing about its speed.

The choice is made once, when the package is imported. ``TRT_HELPERS_BACKEND=tensorrt|tensorrt_rtx|reference``
forces it.
"""

from __future__ import annotations

import importlib
import os
import platform
from dataclasses import dataclass
from types import ModuleType

import torch

FORCE = "TRT_HELPERS_BACKEND"
RTX_CAPABILITIES = "7.5, 8.0, 8.6, 8.9 and 12.x"

INSTALL_TENSORRT = "pip install 'trt-helpers[gpu]'"
INSTALL_RTX = "pip install tensorrt-rtx"


class LaneError(ImportError):
    """No lane works here, or the one that was forced does not. The message says why, for each."""


@dataclass(frozen=True)
class Lane:
    """The lane of this process.

    Attributes:
        name: ``tensorrt``, ``tensorrt_rtx`` or ``reference``.
        trt: the namespace to use as ``trt``.
        device: where inputs and outputs live, ``cuda`` or ``cpu``.
        why: one sentence.
        others: for each lane that was not taken, one sentence saying why not and what would change it.
    """

    name: str
    trt: ModuleType
    device: torch.device
    why: str
    others: dict[str, str]


# ---- what each lane needs: an empty string is "nothing is missing" ---------------------------------------


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # a broken CUDA library raises OSError, a stub package almost anything
        return None


def _no_cuda() -> str:
    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return "PyTorch was installed without CUDA, so it sees no GPU (a CUDA build of PyTorch would)"
    return "PyTorch sees no CUDA GPU (no NVIDIA GPU, or no driver)"


def _capability() -> tuple[int, int]:
    return torch.cuda.get_device_capability()


def _gpu() -> str:
    major, minor = _capability()
    return f"{torch.cuda.get_device_name()} (compute capability {major}.{minor})"


def missing_for_tensorrt() -> str:
    """What the lane ``tensorrt`` lacks on this machine."""
    module = _import("tensorrt")
    if module is None:
        return f"the package tensorrt is not installed ({INSTALL_TENSORRT}, on a machine with an NVIDIA GPU)"
    if not hasattr(module, "Builder"):
        return f"the package tensorrt found here holds no Builder: type stubs or a runtime only ({INSTALL_TENSORRT})"
    if int(module.__version__.split(".")[0]) < 10:
        return f"TensorRT {module.__version__} is too old, 10.0 or newer is needed ({INSTALL_TENSORRT})"
    if _no_cuda():
        return _no_cuda()
    if _capability() < (7, 5):
        return f"{_gpu()} is too old for TensorRT, which needs compute capability 7.5 or newer"
    return ""


def missing_for_tensorrt_rtx() -> str:
    """What the lane ``tensorrt_rtx`` lacks on this machine."""
    if not hasattr(_import("tensorrt_rtx"), "Builder"):
        return f"the package tensorrt_rtx is not installed ({INSTALL_RTX})"
    if _no_cuda():
        return _no_cuda()
    if _capability() not in {(7, 5), (8, 0), (8, 6), (8, 9)} and _capability()[0] != 12:
        return (
            f"TensorRT-RTX does not support {_gpu()}; it supports {RTX_CAPABILITIES}. "
            f"The full TensorRT supports it ({INSTALL_TENSORRT})"
        )
    return ""


def missing_for_reference() -> str:
    """What the lane ``reference`` lacks on this machine."""
    if platform.machine().lower() not in {"x86_64", "amd64"} or platform.system() not in {"Linux", "Windows"}:
        return f"its builder exists for Linux and Windows on x86-64 only, this is {platform.system()} on {platform.machine()}"
    if not hasattr(_import("tensorrt_rtx"), "Builder"):
        return f"it builds with tensorrt_rtx, which is not installed ({INSTALL_RTX})"
    if _import("onnxruntime") is None:
        return "it runs on onnxruntime, which is not installed (pip install onnxruntime)"
    return ""


_NEEDS = {
    "tensorrt": missing_for_tensorrt,
    "tensorrt_rtx": missing_for_tensorrt_rtx,
    "reference": missing_for_reference,
}


# ---- the choice --------------------------------------------------------------------------------------------


def choose(forced: str = "") -> Lane:
    """The first lane that works here, or the one that is forced.

    Raises:
        LaneError: none works, or not the forced one.
    """
    if forced and forced not in _NEEDS:
        raise LaneError(f"{FORCE}={forced!r} is not a lane; the lanes are {', '.join(_NEEDS)}")
    missing = {name: needs() for name, needs in _NEEDS.items()}
    wanted = [forced] if forced else list(_NEEDS)
    name = next((name for name in wanted if not missing[name]), None)
    if name is None:
        reasons = "\n".join(f"  {lane}: {missing[lane]}" for lane in wanted)
        raise LaneError(f"No lane works on this machine.\n{reasons}")
    trt = importlib.import_module("trt_helpers.reference" if name == "reference" else name)
    others = {lane: _why_not(lane, reason, name, forced) for lane, reason in missing.items() if lane != name}
    return Lane(name, trt, _device(name), _why(name, forced, missing), others)


def _device(name: str) -> torch.device:
    if name == "reference":
        from .reference.session import has_cuda

        return torch.device("cuda" if has_cuda() and torch.cuda.is_available() else "cpu")
    return torch.device("cuda")


def _why(name: str, forced: str, missing: dict[str, str]) -> str:
    if forced:
        return f"{FORCE}={name} asks for it"
    if name != "reference":
        return f"{_gpu()} is supported"
    if "does not support" in missing["tensorrt_rtx"]:
        return "TensorRT-RTX refuses this GPU and the full TensorRT is not usable: the runtime is our stand-in"
    return "no GPU that TensorRT can use: the builder is NVIDIA's, the runtime is our stand-in"


def _why_not(lane: str, reason: str, chosen: str, forced: str) -> str:
    if reason:
        return reason
    return f"it would work, but {FORCE}={forced} is set" if forced else f"it would work, but {chosen} comes first"


lane = choose(os.environ.get(FORCE, ""))
trt = lane.trt
device = lane.device
