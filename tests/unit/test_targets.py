"""Which GPUs a plan is for: what the config is told. Needs no GPU; no plan was ever run on a T4."""

import pytest

import trt_helpers as th
from trt_helpers import lanes, trt
from trt_helpers.building import plan, targets

from .conftest import parse

if th.lane.name == "tensorrt":
    pytest.skip("TensorRT builds for the GPU that is there", allow_module_level=True)

FP32 = "g (float[n,8] x, float[8,8] w) => (float[n,8] y) { y = MatMul(x, w) }"
EVERY = {kind for name, kind in trt.ComputeCapability.__members__.items() if name.startswith("SM")}


@pytest.fixture
def asked(monkeypatch) -> list[set]:
    """The targets of each build, in order."""
    seen, built = [], plan._built

    def noting(builder, network, config, *rest):
        seen.append({config.get_compute_capability(i) for i in range(config.num_compute_capabilities)})
        return built(builder, network, config, *rest)

    monkeypatch.setattr(plan, "_built", noting)
    return seen


def config():
    return trt.Builder(th.logger).create_builder_config()


def test_the_gpu_that_is_there(monkeypatch):
    monkeypatch.setattr(targets, "lane", lanes.Lane("tensorrt_rtx", trt, th.device, "", {}))
    made = config()
    targets.ask_for_gpus(made)
    assert made.num_compute_capabilities == 1
    assert made.get_compute_capability(0) == trt.ComputeCapability.CURRENT


@pytest.mark.skipif(th.lane.name != "reference", reason="elsewhere there is a GPU")
@pytest.mark.parametrize("kind", ["float", "float16"])
def test_without_a_gpu_all_that_the_builder_knows(kind, asked):
    model = parse(
        FP32.replace("MatMul(x, w)", "Add(x, x)" if kind == "float" else "MatMul(x, w)").replace("float", kind)
    )
    assert th.build_plan(model, th.Profile(x=((1, 8), (2, 8), (4, 8)))) is not None
    assert asked == [EVERY] and trt.ComputeCapability.SM75 in EVERY


@pytest.mark.skipif(th.lane.name != "reference", reason="elsewhere there is a GPU")
def test_what_turing_cannot_do_leaves_turing_out(asked, capsys):
    assert th.build_plan(parse(FP32), th.Profile(x=((1, 8), (2, 8), (4, 8)))) is not None
    assert asked == [EVERY, EVERY - {trt.ComputeCapability.SM75}]
    assert th.logger.errors == [] and "[E]" not in capsys.readouterr().out
    said = [m.text for m in th.logger.messages if m.severity == "I" and "compute capability 7.5" in m.text]
    assert len(said) == 1 and "FP32 GEMM is not supported" in said[0]


@pytest.mark.skipif(th.lane.name != "reference", reason="elsewhere there is a GPU")
def test_a_build_that_fails_for_another_reason_is_not_tried_again(asked):
    with pytest.raises(th.TensorRTError, match="profile"):
        th.build_plan(parse(FP32))
    assert len(asked) == 1


def test_asked_for_turing_alone_the_reason_stays():
    made = config()
    targets._ask(made, [trt.ComputeCapability.SM75])
    refusal = th.log.Message("E", "Cannot compile operation 'm' for Turing (SM75): FP32 GEMM is not supported.", "")
    assert targets.leave_out_turing(made, [refusal]) == "" and made.num_compute_capabilities == 1
