"""Which TensorRT this machine gets, and why.

There are three lanes. The same lessons run in each:

* ``tensorrt``: TensorRT 10 or newer, and a CUDA GPU that it supports.
* ``tensorrt_rtx``: TensorRT for RTX, and an RTX GPU that it supports.
* ``reference``: no such GPU. NVIDIA's parser and builder work all the same (TensorRT-RTX's, on the CPU); the
  runtime is this package's stand-in on ONNX Runtime. It is not TensorRT and says nothing about its speed.

The choice is made once, when ``lane``, ``trt`` or ``device`` is first asked for: whoever only wants to know what an
error means, or why there is no lane, needs none. ``TRT_HELPERS_BACKEND=tensorrt|tensorrt_rtx|reference`` forces it.
"""

from __future__ import annotations

import importlib
import os
import platform
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported where a GPU is looked for: it takes seconds
    import torch

FORCE = "TRT_HELPERS_BACKEND"

OLDEST_TENSORRT = 10
OLDEST_CAPABILITY = (7, 5)
RTX_CAPABILITIES = "7.5, 8.0, 8.6, 8.9 and 12.x"
TURING = (7, 5)

INSTALL_TENSORRT = "pip install tensorrt"
INSTALL_RTX = "pip install tensorrt-rtx"
INSTALL_ONNXRUNTIME = "pip install onnxruntime"


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


# ---- what each lane needs: an empty string is "nothing is missing" -----------------------------------------


def _import(name: str) -> tuple[ModuleType | None, str]:
    """A module, or why there is none."""
    try:
        return importlib.import_module(name), ""
    except ModuleNotFoundError as error:
        if error.name == name:
            return None, f"the package {name} is not installed"
        reason = str(error)
    except Exception as error:  # a missing CUDA library raises OSError, a half-installed package almost anything
        reason = f"{type(error).__name__}: {error}"
    return None, f"the package {name} is installed, but importing it fails ({reason.splitlines()[0]})"


def _no_builder(name: str, install: str) -> str:
    """Type stubs alone make an import succeed, as an empty package; so capability is asked for, not a name."""
    module, missing = _import(name)
    if module is None:
        return f"{missing} ({install})"
    if hasattr(module, "Builder"):
        return ""
    return f"the package {name} found here holds no Builder: type stubs or a runtime only ({install})"


def _no_torch() -> str:
    try:
        import torch  # noqa: F401
    except Exception as error:  # a missing library raises OSError
        return f"PyTorch cannot be imported ({type(error).__name__}: {str(error).splitlines()[0]})"
    return ""


def _no_cuda() -> str:
    if missing := _no_torch():
        return missing
    import torch

    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return "PyTorch was installed without CUDA, so it sees no GPU (a CUDA build of PyTorch would)"
    return "PyTorch sees no CUDA GPU (no NVIDIA GPU, or no driver)"


def _capability() -> tuple[int, int]:
    import torch

    return torch.cuda.get_device_capability()


def _gpu() -> str:
    import torch

    major, minor = _capability()
    return f"{torch.cuda.get_device_name()} (compute capability {major}.{minor})"


def _rtx_supports(capability: tuple[int, int]) -> bool:
    return capability in {TURING, (8, 0), (8, 6), (8, 9)} or capability[0] == 12


def missing_for_tensorrt() -> str:
    """What the lane ``tensorrt`` lacks on this machine."""
    if missing := _no_builder("tensorrt", f"{INSTALL_TENSORRT}, on a machine with an NVIDIA GPU"):
        return missing
    version = importlib.import_module("tensorrt").__version__
    if int(version.split(".")[0]) < OLDEST_TENSORRT:
        return f"TensorRT {version} is too old, 10.0 or newer is needed ({INSTALL_TENSORRT})"
    if missing := _no_cuda():
        return missing
    if _capability() < OLDEST_CAPABILITY:
        return f"{_gpu()} is too old for TensorRT, which needs compute capability 7.5 or newer"
    return ""


def missing_for_tensorrt_rtx() -> str:
    """What the lane ``tensorrt_rtx`` lacks on this machine."""
    if missing := _no_builder("tensorrt_rtx", INSTALL_RTX) or _no_cuda():
        return missing
    if _rtx_supports(_capability()):
        return ""
    refused = f"TensorRT-RTX does not support {_gpu()}; it supports {RTX_CAPABILITIES}"
    if _capability() < OLDEST_CAPABILITY:
        return refused
    return f"{refused}. The full TensorRT supports this GPU ({INSTALL_TENSORRT})"


def missing_for_reference() -> str:
    """What the lane ``reference`` lacks on this machine."""
    system, machine = platform.system(), platform.machine()
    if machine.lower() not in {"x86_64", "amd64"} or system not in {"Linux", "Windows"}:
        return f"its builder exists for Linux and Windows on x86-64 only, this is {system} on {machine}"
    if missing := _no_builder("tensorrt_rtx", INSTALL_RTX):
        return f"it builds with TensorRT-RTX, but {missing}"
    if missing := _import("onnxruntime")[1]:
        return f"it runs on ONNX Runtime, but {missing} ({INSTALL_ONNXRUNTIME})"
    return _no_torch()


def _rather_not(name: str) -> str:
    """Why a lane that works is taken only by force.

    TensorRT-RTX runs on Turing, but its builder says "FP32 GEMM is not supported" for it: the course's models are FP32.
    """
    if name == "tensorrt_rtx" and _capability() == TURING:
        needs = f"TensorRT-RTX multiplies no FP32 matrices on {_gpu()}, as the course's models do"
        force = f"for FP16 models {FORCE}={name} takes it"
        return f"{needs}; {force}. The full TensorRT has no such limit ({INSTALL_TENSORRT})"
    return ""


_NEEDS = {
    "tensorrt": missing_for_tensorrt,
    "tensorrt_rtx": missing_for_tensorrt_rtx,
    "reference": missing_for_reference,
}


# ---- the choice ---------------------------------------------------------------------------------------------


def choose(forced: str = "") -> Lane:
    """The first lane that works here, or the one that is forced.

    Raises:
        LaneError: none works, or not the forced one.
    """
    if forced and forced not in _NEEDS:
        raise LaneError(f"{FORCE}={forced!r} is not a lane; the lanes are {', '.join(_NEEDS)}.")
    missing = {name: needs() for name, needs in _NEEDS.items()}
    working = [name for name in _NEEDS if not missing[name]]
    if not working:
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in missing.items())
        raise LaneError(f"No lane works on this machine.{reasons}")
    if forced and forced not in working:
        without = f"Without {FORCE} this machine gets the lane '{working[0]}'."
        raise LaneError(f"{FORCE}={forced} asks for a lane that does not work here: {missing[forced]}.\n{without}")
    name = forced or next((name for name in working if not _rather_not(name)), working[0])
    trt = importlib.import_module("trt_helpers.reference" if name == "reference" else name)
    others = {lane: _why_not(lane, reason, name, forced) for lane, reason in missing.items() if lane != name}
    return Lane(name, trt, _device(name), _why(name, forced), others)


def _device(name: str) -> torch.device:
    import torch

    if name == "reference":
        from .reference.session import has_cuda

        return torch.device("cuda" if has_cuda() and torch.cuda.is_available() else "cpu")
    return torch.device("cuda")


def _why(name: str, forced: str) -> str:
    if forced:
        return f"{FORCE}={name} asks for it"
    if name != "reference":
        return f"{_gpu()} is supported"
    if not _no_cuda() and (not _rtx_supports(_capability()) or _rather_not("tensorrt_rtx")):
        refuses = "multiplies no FP32 matrices on" if _capability() == TURING else "refuses"
        refused = f"TensorRT-RTX {refuses} {_gpu()} and the full TensorRT is not usable"
        return f"{refused}: the builder is NVIDIA's, the runtime is our stand-in"
    return "no GPU that TensorRT can use: the builder is NVIDIA's, the runtime is our stand-in"


def _why_not(lane: str, reason: str, chosen: str, forced: str) -> str:
    if reason:
        return reason
    if forced:
        return f"it would work, but {FORCE}={forced} is set"
    return _rather_not(lane) or f"it would work, but {chosen} comes first"


def __getattr__(name: str) -> object:
    """The choice, at its first use; from then on these are ordinary names of the module."""
    if name not in {"lane", "trt", "device"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    lane = choose(os.environ.get(FORCE, ""))
    globals().update(lane=lane, trt=lane.trt, device=lane.device)
    return globals()[name]
