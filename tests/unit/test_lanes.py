"""Every row of the lane table, on machines that do not exist: modules, GPU and platform are pretended."""

import os
import subprocess
import sys
from types import ModuleType

import pytest
import torch

import trt_helpers
from trt_helpers import lanes

EMPTY_REFERENCE = ModuleType("trt_helpers.reference")


def module(name: str, version: str = "11.1.0", builder: bool = True) -> ModuleType:
    made = ModuleType(name)
    made.__version__ = version
    if builder:
        made.Builder = object
    return made


class Machine:
    """A pretended machine; by default a Linux PC with everything installed and no GPU."""

    def __init__(self, monkeypatch) -> None:
        self.patch = monkeypatch
        self.modules = {
            "tensorrt_rtx": module("tensorrt_rtx", "1.7.1"),
            "onnxruntime": ModuleType("onnxruntime"),
            "trt_helpers.reference": EMPTY_REFERENCE,
        }
        monkeypatch.setattr(lanes.importlib, "import_module", self._import)
        self.platform("Linux", "x86_64")
        self.without_gpu()

    def _import(self, name: str) -> ModuleType:
        found = self.modules.get(name, ModuleNotFoundError(f"No module named '{name}'", name=name))
        if isinstance(found, Exception):
            raise found
        return found

    def platform(self, system: str, machine: str) -> None:
        self.patch.setattr(lanes.platform, "system", lambda: system)
        self.patch.setattr(lanes.platform, "machine", lambda: machine)

    def without_gpu(self, cuda_build: bool = True) -> None:
        self.patch.setattr(torch.cuda, "is_available", lambda: False)
        self.patch.setattr(torch.version, "cuda", "13.0" if cuda_build else None)

    def gpu(self, name: str, major: int, minor: int) -> None:
        self.patch.setattr(torch.cuda, "is_available", lambda: True)
        self.patch.setattr(torch.cuda, "get_device_name", lambda *_: name)
        self.patch.setattr(torch.cuda, "get_device_capability", lambda *_: (major, minor))

    def cuda_onnxruntime(self, there: bool) -> None:
        from trt_helpers.reference import session

        self.patch.setattr(session, "has_cuda", lambda: there)


@pytest.fixture
def machine(monkeypatch) -> Machine:
    return Machine(monkeypatch)


def test_tensorrt_with_a_gpu(machine):
    machine.modules["tensorrt"] = module("tensorrt")
    machine.gpu("NVIDIA H100", 9, 0)
    lane = lanes.choose()
    assert (lane.name, lane.device.type, lane.trt.__name__) == ("tensorrt", "cuda", "tensorrt")
    assert lane.why == "NVIDIA H100 (compute capability 9.0) is supported"
    assert set(lane.others) == {"tensorrt_rtx", "reference"}
    assert "does not support NVIDIA H100 (compute capability 9.0)" in lane.others["tensorrt_rtx"]
    assert lane.others["reference"] == "it would work, but tensorrt comes first"


@pytest.mark.parametrize("version", ["10.0.1", "10.16.1", "11.1.0.106"])
def test_tensorrt_10_and_newer(machine, version):
    machine.modules["tensorrt"] = module("tensorrt", version)
    machine.gpu("NVIDIA RTX 4090", 8, 9)
    lane = lanes.choose()
    assert lane.name == "tensorrt"
    assert lane.others["tensorrt_rtx"] == "it would work, but tensorrt comes first"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "the package tensorrt is not installed (pip install tensorrt,"),
        (module("tensorrt", builder=False), "holds no Builder: type stubs or a runtime only"),
        (module("tensorrt", "8.6.1"), "TensorRT 8.6.1 is too old, 10.0 or newer is needed"),
        (module("tensorrt", "9.3.0"), "TensorRT 9.3.0 is too old, 10.0 or newer is needed"),
        (OSError("libnvinfer.so.11: cannot open"), "importing it fails (OSError: libnvinfer.so.11: cannot open)"),
        (
            ModuleNotFoundError("No module named 'tensorrt_libs'", name="tensorrt_libs"),
            "No module named 'tensorrt_libs'",
        ),
    ],
)
def test_without_a_usable_tensorrt_an_rtx_gpu_gets_tensorrt_rtx(machine, found, reason):
    if found is not None:
        machine.modules["tensorrt"] = found
    machine.gpu("NVIDIA RTX 4090", 8, 9)
    lane = lanes.choose()
    assert (lane.name, lane.device.type) == ("tensorrt_rtx", "cuda")
    assert reason in lane.others["tensorrt"]


@pytest.mark.parametrize("capability", [(8, 0), (8, 6), (8, 9), (12, 0), (12, 1)])
def test_tensorrt_rtx_supports(machine, capability):
    machine.gpu("NVIDIA GPU", *capability)
    lane = lanes.choose()
    assert lane.name == "tensorrt_rtx"
    assert f"compute capability {capability[0]}.{capability[1]}) is supported" in lane.why


def test_turing_gets_a_lane_in_which_the_lessons_models_run(machine):
    """TensorRT-RTX's builder refuses their FP32 matrices for it (test_targets.py has its words)."""
    machine.gpu("Tesla T4", 7, 5)
    machine.cuda_onnxruntime(True)
    lane = lanes.choose()
    assert (lane.name, lane.device.type) == ("reference", "cuda")
    assert "multiplies no FP32 matrices on Tesla T4 (compute capability 7.5)" in lane.why
    assert "TRT_HELPERS_BACKEND=tensorrt_rtx takes it" in lane.others["tensorrt_rtx"]
    assert lanes.choose("tensorrt_rtx").name == "tensorrt_rtx"
    machine.modules["tensorrt"] = module("tensorrt")
    assert lanes.choose().name == "tensorrt"


def test_turing_keeps_tensorrt_rtx_where_nothing_else_works(machine):
    machine.gpu("Tesla T4", 7, 5)
    del machine.modules["onnxruntime"]
    assert lanes.choose().name == "tensorrt_rtx"


@pytest.mark.parametrize("capability", [(8, 7), (9, 0), (10, 0), (10, 3), (11, 0)])
def test_a_gpu_that_tensorrt_rtx_refuses_gets_the_reference_lane(machine, capability):
    machine.gpu("NVIDIA H100", *capability)
    machine.cuda_onnxruntime(False)
    lane = lanes.choose()
    named = f"NVIDIA H100 (compute capability {capability[0]}.{capability[1]})"
    assert (lane.name, lane.device.type) == ("reference", "cpu")
    assert f"TensorRT-RTX refuses {named}" in lane.why and "our stand-in" in lane.why
    refusal = lane.others["tensorrt_rtx"]
    assert f"does not support {named}" in refusal and "7.5, 8.0, 8.6, 8.9 and 12.x" in refusal
    assert "The full TensorRT supports this GPU (pip install tensorrt)" in refusal


def test_reference_lane_uses_the_gpu_where_onnx_runtime_can(machine):
    machine.gpu("NVIDIA H100", 9, 0)
    machine.cuda_onnxruntime(True)
    assert lanes.choose().device.type == "cuda"


def test_a_gpu_too_old_for_both(machine):
    machine.modules["tensorrt"] = module("tensorrt")
    machine.gpu("NVIDIA V100", 7, 0)
    machine.cuda_onnxruntime(False)
    lane = lanes.choose()
    assert lane.name == "reference"
    assert (
        "compute capability 7.0) is too old for TensorRT, which needs compute capability 7.5" in lane.others["tensorrt"]
    )
    assert "The full TensorRT supports" not in lane.others["tensorrt_rtx"]


@pytest.mark.parametrize(
    ("cuda_build", "reason"),
    [(True, "PyTorch sees no CUDA GPU (no NVIDIA GPU, or no driver)"), (False, "PyTorch was installed without CUDA")],
)
def test_no_gpu(machine, cuda_build, reason):
    machine.modules["tensorrt"] = module("tensorrt")
    machine.without_gpu(cuda_build)
    lane = lanes.choose()
    assert (lane.name, lane.device.type, lane.trt) == ("reference", "cpu", EMPTY_REFERENCE)
    assert lane.why.startswith("no GPU that TensorRT can use")
    assert reason in lane.others["tensorrt"] and reason in lane.others["tensorrt_rtx"]


@pytest.mark.parametrize(("system", "cpu"), [("Linux", "x86_64"), ("Windows", "AMD64")])
def test_reference_lane_on(machine, system, cpu):
    machine.platform(system, cpu)
    assert lanes.choose().name == "reference"


@pytest.mark.parametrize(("system", "cpu"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_unsupported_platform_without_a_gpu_has_no_lane(machine, system, cpu):
    machine.platform(system, cpu)
    with pytest.raises(lanes.LaneError) as caught:
        lanes.choose()
    assert f"x86-64 only, this is {system} on {cpu}" in str(caught.value)


def test_unsupported_platform_with_a_gpu_still_has_tensorrt(machine):
    machine.platform("Linux", "aarch64")
    machine.modules["tensorrt"] = module("tensorrt")
    machine.gpu("NVIDIA GH200", 9, 0)
    assert lanes.choose().name == "tensorrt"


@pytest.mark.parametrize(
    ("name", "found", "reason"),
    [
        (
            "tensorrt_rtx",
            None,
            "it builds with TensorRT-RTX, but the package tensorrt_rtx is not installed (pip install tensorrt-rtx)",
        ),
        (
            "tensorrt_rtx",
            module("tensorrt_rtx", builder=False),
            "it builds with TensorRT-RTX, but the package tensorrt_rtx found here holds no Builder",
        ),
        (
            "onnxruntime",
            None,
            "it runs on ONNX Runtime, but the package onnxruntime is not installed (pip install onnxruntime)",
        ),
        (
            "onnxruntime",
            ImportError("DLL load failed"),
            "it runs on ONNX Runtime, but the package onnxruntime is installed, but importing it fails",
        ),
    ],
)
def test_nothing_works_and_each_lane_says_why(machine, name, found, reason):
    del machine.modules[name]
    if found is not None:
        machine.modules[name] = found
    with pytest.raises(lanes.LaneError) as caught:
        lanes.choose()
    first, *lines = str(caught.value).splitlines()
    assert first == "No lane works on this machine."
    assert [line.split(":")[0].strip() for line in lines] == ["tensorrt", "tensorrt_rtx", "reference"]
    assert reason in lines[2]


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_rtx", "reference"])
def test_each_lane_can_be_forced(machine, name):
    machine.modules["tensorrt"] = module("tensorrt")
    machine.gpu("NVIDIA RTX 5090", 12, 0)
    machine.cuda_onnxruntime(False)
    lane = lanes.choose(name)
    assert (lane.name, lane.why) == (name, f"TRT_HELPERS_BACKEND={name} asks for it")
    assert set(lane.others.values()) == {f"it would work, but TRT_HELPERS_BACKEND={name} is set"}


def test_a_forced_lane_that_does_not_work_is_an_error_that_names_the_alternative(machine):
    with pytest.raises(lanes.LaneError) as caught:
        lanes.choose("tensorrt_rtx")
    asked, instead = str(caught.value).splitlines()
    assert asked.startswith(
        "TRT_HELPERS_BACKEND=tensorrt_rtx asks for a lane that does not work here: PyTorch sees no CUDA GPU"
    )
    assert instead == "Without TRT_HELPERS_BACKEND this machine gets the lane 'reference'."


def test_an_unknown_lane_is_refused_with_the_list(machine):
    with pytest.raises(lanes.LaneError, match="'trt' is not a lane; the lanes are tensorrt, tensorrt_rtx, reference"):
        lanes.choose("trt")


def test_lane_error_is_an_import_error():
    assert issubclass(lanes.LaneError, ImportError)


def test_asking_for_trt_with_an_unknown_lane_raises_the_lane_error():
    environment = {**os.environ, "TRT_HELPERS_BACKEND": "nonsense", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = "import trt_helpers; print('imported'); from trt_helpers import trt"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "imported\n")
    assert "LaneError: TRT_HELPERS_BACKEND='nonsense' is not a lane" in done.stderr


def test_the_chosen_lane_is_what_the_package_exports():
    assert trt_helpers.trt is trt_helpers.lane.trt
    assert trt_helpers.device == trt_helpers.lane.device


def test_everything_exported_exists():
    assert all(hasattr(trt_helpers, name) for name in trt_helpers.__all__)
    assert len(set(trt_helpers.__all__)) == len(trt_helpers.__all__)


def test_what_is_offered_can_be_read_at_a_glance():
    assert len(trt_helpers.__all__) <= 45, "what only lessons need belongs to trt_helpers.course"


def test_without_pytorch_every_lane_says_so(machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    machine.modules["tensorrt"] = module("tensorrt")
    with pytest.raises(lanes.LaneError) as caught:
        lanes.choose()
    assert str(caught.value).count("PyTorch cannot be imported") == 3
