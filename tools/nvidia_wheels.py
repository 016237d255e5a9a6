"""NVIDIA's bindings of other TensorRT versions, for comparison only: they are never part of the environment.

python -m tools.nvidia_wheels      download what is missing (once, 90 MB) and say where it is

The lean runtime's wheels hold TensorRT's real Runtime, ICudaEngine and IExecutionContext classes and import on a
machine without a GPU; the stubs describe the builder's classes. Each goes into a folder of its own, outside the
environment: ``TRT_HELPERS_WHEELS``, or the user's cache. Classes and docstrings are read, nothing else is used.
"""

import os
import subprocess
import sys
from pathlib import Path

WHEELS = {
    "tensorrt-11.4": ["tensorrt-lean-cu13-bindings==11.4.0.106", "tensorrt-lean-cu13-libs==11.4.0.106"],
    "tensorrt-10.16": ["tensorrt-lean-cu12-bindings==10.16.1.11", "tensorrt-lean-cu12-libs==10.16.1.11"],
    "stubs-10.13": ["tensorrt-stubs==10.13.0.35.1"],
}


def folder(name: str) -> Path:
    """Where one of them is, or would be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "trt-helpers" / "nvidia-wheels"
    return Path(os.environ.get("TRT_HELPERS_WHEELS", cache)) / name


def is_there(name: str) -> bool:
    """Whether it was installed completely: the stamp is written last."""
    return (folder(name) / "installed").exists()


def install(name: str) -> None:
    """Install one of them, without what it depends on."""
    target = folder(name)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--upgrade"]
    subprocess.run([*command, "--target", str(target), *WHEELS[name]], check=True)
    (target / "installed").write_text("\n".join(WHEELS[name]), encoding="utf-8")


def main() -> int:
    """Install what is missing."""
    for name in WHEELS:
        if not is_there(name):
            print(f"{name}: installing {', '.join(WHEELS[name])}", flush=True)
            install(name)
        print(f"{name}: {folder(name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
