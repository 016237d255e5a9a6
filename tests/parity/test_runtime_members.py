"""Every runtime member that we implement exists in NVIDIA's bindings, with the same parameters and defaults."""

import inspect

import pytest

import trt_helpers.reference as reference
from tests.parity.bindings import ALL, TENSORRT, bindings

CLASSES = ["Runtime", "ICudaEngine", "IExecutionContext", "IRuntimeConfig", "ISerializationConfig", "EngineInspector"]

# What only TensorRT-RTX has. Contract: part A.
RTX_ONLY = {
    ("Runtime", "engine_header_size"),
    ("Runtime", "get_engine_validity"),
    ("Runtime", "defer_weights_loading"),
    ("IExecutionContext", "is_stream_capturable"),
    ("IRuntimeConfig", "cuda_graph_strategy"),
    ("IRuntimeConfig", "dynamic_shapes_kernel_specialization_strategy"),
}
# What is newer than a version.
NEWER = {("Runtime", "dla_workspace_allocation_strategy", "tensorrt-10.16")}
# Flags of the builder got new numbers in 11; nobody here uses them as numbers.
RENUMBERED = {(name, "tensorrt-10.16") for name in ("BuilderFlag", "PreviewFeature", "TacticSource")}
# What we do not offer, and why. Using one says "not in the reference lane".
NOT_OFFERED = {
    ("ICudaEngine", "create_weights_manager"): "weights loaded later are TensorRT-RTX's",
    ("ICudaEngine", "load_weights"): "weights loaded later are TensorRT-RTX's",
    ("ICudaEngine", "load_weights_async"): "weights loaded later are TensorRT-RTX's",
    ("ICudaEngine", "unload_weights"): "weights loaded later are TensorRT-RTX's",
    ("ICudaEngine", "weights_loaded"): "weights loaded later are TensorRT-RTX's",
    ("IExecutionContext", "set_communicator"): "needs NCCL and several GPUs",
    ("IRuntimeConfig", "create_runtime_cache"): "there are no compiled kernels to keep",
    ("IRuntimeConfig", "get_runtime_cache"): "there are no compiled kernels to keep",
    ("IRuntimeConfig", "set_runtime_cache"): "there are no compiled kernels to keep",
}
# Two signatures of the bindings that one Python signature cannot have; tests/contract calls both.
SPECIAL = {("ICudaEngine", "create_execution_context")}
# The form for stream readers: our one parameter takes both.
OTHER_OVERLOAD = {("Runtime", "deserialize_cuda_engine"): {"stream_reader", "stream_reader_v2"}}


def ours(cls: str) -> dict[str, object]:
    members = {name: inspect.getattr_static(getattr(reference, cls), name) for name in dir(getattr(reference, cls))}
    return {name: member for name, member in members.items() if not name.startswith("_")}


def cases() -> list:
    return [(cls, name) for cls in CLASSES for name in ours(cls)]


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("cls, name", cases())
def test_our_members_are_nvidias(cls, name, version):
    real = bindings(version)["classes"]
    if cls not in real:
        pytest.skip(f"{version} has no class {cls}: the lean runtime is without it")
    if (cls, name) in RTX_ONLY and version != "tensorrt_rtx" or (cls, name, version) in NEWER:
        assert name not in real[cls]["members"], "the list above is out of date"
        return
    assert name in real[cls]["members"], f"{cls}.{name} does not exist in {version}"
    theirs, member = real[cls]["members"][name], ours(cls)[name]
    if theirs["kind"] == "property":
        assert not callable(member)
        readable = not isinstance(member, property) or member.fget is not None
        writable = member.fset is not None if isinstance(member, property) else hasattr(member, "__set__")
        assert (readable, writable) == (theirs["read"], theirs["write"])
    elif (cls, name) not in SPECIAL:
        _compare_parameters(cls, name, member, theirs["overloads"])


def _compare_parameters(cls: str, name: str, member: object, overloads: list) -> None:
    parameters = list(inspect.signature(member).parameters.values())[1:]
    mine = [parameter.name for parameter in parameters]
    required = [p.name for p in parameters if p.default is inspect.Parameter.empty]
    assert overloads, "NVIDIA's docstring has no signature"
    for overload in overloads:
        names = [n for n, _ in overload]
        if set(names) & OTHER_OVERLOAD.get((cls, name), set()):
            continue
        names = _named(names, mine)
        assert names == mine[: len(names)] and set(required) <= set(names), f"{names} against {mine}"
        for (their_name, default), parameter in zip(overload, parameters, strict=False):
            if default is not None:
                assert repr(parameter.default) in default, f"{their_name} = {default}"


def _named(names: list[str], mine: list[str]) -> list[str]:
    """pybind11 calls a parameter without a name arg0: any name of ours will do."""
    return [m if n.startswith("arg") else n for n, m in zip(names, mine, strict=False)] + names[len(mine) :]


@pytest.mark.parametrize("version", ALL)
def test_nothing_of_nvidias_was_forgotten(version):
    real = bindings(version)["classes"]
    removed = {"create_execution_context_without_device_memory", "device_memory_size", "has_implicit_batch_dimension"}
    removed |= {"get_device_memory_size_for_profile", "all_shape_inputs_specified", "weight_streaming_budget"}
    removed |= {"minimum_weight_streaming_budget"}
    for cls in CLASSES:
        missing = set(real.get(cls, {"members": {}})["members"]) - set(ours(cls))
        missing -= {name for owner, name in NOT_OFFERED if owner == cls}
        assert missing <= (removed if version == "tensorrt-10.16" else set()), f"{cls} lacks {sorted(missing)}"


def test_what_we_do_not_offer_says_so():
    for cls, name in NOT_OFFERED:
        instance = object.__new__(getattr(reference, cls))
        with pytest.raises(AttributeError, match="is not in the reference lane"):
            getattr(instance, name)


@pytest.mark.parametrize("version", TENSORRT)
def test_enums_agree(version):
    """Names and values of every enum that TensorRT and TensorRT-RTX share: both are used under one name here."""
    rtx, real = bindings("tensorrt_rtx")["classes"], bindings(version)["classes"]
    shared = [name for name in real if real[name]["enum"] and name in rtx and rtx[name]["enum"]]
    assert {"DataType", "TensorIOMode", "TensorLocation", "ExecutionContextAllocationStrategy"} <= set(shared)
    for name in shared:
        for member, value in real[name]["enum"].items():
            if member in rtx[name]["enum"] and (name, version) not in RENUMBERED:
                assert rtx[name]["enum"][member] == value, f"{name}.{member}"
