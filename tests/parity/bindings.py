"""NVIDIA's bindings, as the probe sees them."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.parity.probe import split
from tools import nvidia_wheels

PROBE = Path(__file__).with_name("probe.py")
_CLASS = re.compile(r"class (\w+)")
_METHOD = re.compile(r"    def (\w+)\((.*)\)(?: ->.*)?:")
_ATTRIBUTE = re.compile(r"    (\w+): ")
# TensorRT's own come from wheels that have to be fetched first: tier slow.
TENSORRT = [pytest.param(name, marks=pytest.mark.slow) for name in ("tensorrt-11.4", "tensorrt-10.16")]
ALL = ["tensorrt_rtx", *TENSORRT]


def _fetched(name: str) -> None:
    """Skip without the wheels, or fail where CI has set TRT_HELPERS_REQUIRE_WHEELS=1: there nothing may be skipped."""
    if not nvidia_wheels.is_there(name):
        absent = pytest.fail if os.environ.get("TRT_HELPERS_REQUIRE_WHEELS") == "1" else pytest.skip
        absent(f"{name} is not there: python -m tools.nvidia_wheels fetches it")


@cache
def bindings(name: str) -> dict:
    """Version, classes and names."""
    if name == "tensorrt_rtx":
        return _probe("tensorrt_rtx")
    _fetched(name)
    return _probe("tensorrt_lean_bindings", str(nvidia_wheels.folder(name)))


def _probe(*arguments: str) -> dict:
    command = [sys.executable, str(PROBE), *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@cache
def stubs() -> dict[str, dict[str, list[str] | None]]:
    """Classes and members of TensorRT 10.13 from its type stubs: a method's parameter names, None for properties."""
    _fetched("stubs-10.13")
    path = nvidia_wheels.folder("stubs-10.13") / "tensorrt_bindings" / "tensorrt.pyi"
    classes, members, before = {}, {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():  # not all of it is Python that ast could read
        if found := _CLASS.match(line):
            members = classes.setdefault(found[1], {})
        elif found := _METHOD.match(line):
            is_property = before.strip() == "@property" or before.strip().endswith(".setter")
            members[found[1]] = None if is_property else [part.partition(":")[0] for part in split(found[2])[1:]]
        elif found := _ATTRIBUTE.match(line):
            members[found[1]] = None
        before = line
    return classes
