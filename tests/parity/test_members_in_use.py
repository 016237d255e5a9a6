"""Every TensorRT member that the helpers and the lessons call exists in every lane.

Members of runtime classes are looked up in TensorRT-RTX and in TensorRT 11.4 and 10.16, whose lean wheels hold the
real classes; members of the builder's classes in TensorRT-RTX and in the stubs of TensorRT 10.13.
"""

import ast
from functools import cache

import pytest

from tests.parity.bindings import TENSORRT, bindings, stubs
from tools.notebooks import ROOT

# Classes whose members code uses through a variable, so that only the member's name is seen.
RUNTIME = ["Runtime", "ICudaEngine", "IExecutionContext", "IRuntimeConfig"]
BUILDER = ["Builder", "INetworkDefinition", "IBuilderConfig", "OnnxParser", "IOptimizationProfile"]
BUILDER += ["ITensor", "ParserError"]
# Looked at by hand: used in one lane only, behind a test of the lane, or a member of something that is no TensorRT.
ONE_LANE = {"plan_from_onnx_alone", "tensorrt_rtx_part", "__version__"}
# Only TensorRT-RTX builds for other GPUs than the one that is there: targets.py, behind a test of the lane.
RTX_ONLY = {f"ComputeCapability{member}" for member in ("", ".CURRENT", ".SM75")}
RTX_BUILDER = {"get_compute_capability", "num_compute_capabilities", "set_compute_capability"}


@cache
def sources() -> dict[str, ast.Module]:
    paths = [*(ROOT / "trt_helpers").glob("*.py"), *(ROOT / "lessons").glob("*.py")]
    found = {}
    for path in sorted(paths):
        code = path.read_text(encoding="utf-8")
        lines = [line if not line.lstrip().startswith(("%", "!")) else "pass" for line in code.splitlines()]
        found[path.relative_to(ROOT).as_posix()] = ast.parse("\n".join(lines))
    return found


def names_of_trt() -> set[str]:
    """``trt.Builder`` and ``trt.Builder.x``, dotted, wherever they are used."""
    found = set()
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                text = ast.unparse(node)
                if text.startswith("trt.") and all(part.isidentifier() for part in text.split(".")):
                    found.add(text.removeprefix("trt."))
    return found


def attributes() -> set[str]:
    """Every name after a dot, on whatever object."""
    nodes = [node for tree in sources().values() for node in ast.walk(tree)]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def has(module: dict, dotted: str) -> bool:
    first, _, member = dotted.partition(".")
    member = member.partition(".")[0]
    if first not in module["names"]:
        return False
    cls = module["classes"].get(first)
    return not member or cls is None or member in cls["members"] or member in (cls["enum"] or {}) or member in ENUM_OWN


ENUM_OWN = {"name", "value", "Severity", "__init__", "log"}


def test_the_scan_finds_what_is_there():
    assert {"Builder", "Runtime", "OnnxParser"} <= names_of_trt()
    assert {"set_input_shape", "execute_async_v3", "build_serialized_network"} <= attributes()


def test_names_of_trt_exist_in_tensorrt_rtx():
    missing = {name for name in names_of_trt() if not has(bindings("tensorrt_rtx"), name)}
    assert missing - ONE_LANE == set()


@pytest.mark.parametrize("version", TENSORRT)
def test_names_of_trt_exist_in_tensorrt(version):
    """The lean wheels have no builder: what they lack has to be in the stubs."""
    lean, full = bindings(version), stubs()
    missing = set()
    for name in names_of_trt() - ONE_LANE - RTX_ONLY:
        first, _, member = name.partition(".")
        in_stubs = first in full and (not member or member.partition(".")[0] in {*full[first], *ENUM_OWN})
        if not has(lean, name) and not in_stubs and first not in _module_functions():
            missing.add(name)
    assert missing == set()


@cache
def _module_functions() -> set[str]:
    """Names of the package's own Python part, which the stubs list apart."""
    from tools import nvidia_wheels

    path = nvidia_wheels.folder("stubs-10.13") / "tensorrt_bindings" / "__init__.pyi"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return functions | {node.target.id for node in body if isinstance(node, ast.AnnAssign)}


def used_members(cls: str) -> set[str]:
    return set(bindings("tensorrt_rtx")["classes"][cls]["members"]) & attributes()


@pytest.mark.parametrize("version", TENSORRT)
@pytest.mark.parametrize("cls", RUNTIME)
def test_runtime_members_in_use_exist_in_tensorrt(cls, version):
    missing = used_members(cls) - set(bindings(version)["classes"][cls]["members"])
    assert missing == set(), f"{cls} of {version} lacks {sorted(missing)}"


@pytest.mark.slow
@pytest.mark.parametrize("cls", BUILDER)
def test_builder_members_in_use_exist_in_tensorrt(cls):
    missing = used_members(cls) - set(stubs()[cls]) - RTX_BUILDER
    assert missing == set(), f"{cls} of TensorRT 10.13 lacks {sorted(missing)}"


@pytest.mark.slow
@pytest.mark.parametrize("cls", BUILDER)
def test_builder_methods_in_use_have_the_same_parameters(cls):
    rtx = bindings("tensorrt_rtx")["classes"][cls]["members"]
    for name in used_members(cls):
        expected = stubs()[cls].get(name)
        if rtx[name]["kind"] == "method" and expected is not None and "args" not in expected:
            names = [[n for n, _ in overload] for overload in rtx[name]["overloads"]]
            assert expected in names or not names, f"{cls}.{name}: {expected} against {names}"
