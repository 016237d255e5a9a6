"""The functions of the TensorRT 8 workflow, with their old names and arguments."""

from types import SimpleNamespace

import onnx.parser
import pytest
import torch

import trt_helpers as th
from trt_helpers import legacy
from trt_helpers.decoding import model as masked_lm
from trt_helpers.legacy import trt

pytestmark = pytest.mark.filterwarnings("ignore:Use .* instead:DeprecationWarning")

SHORT = th.Profile.same(masked_lm.INPUTS, (1, 8), (1, 8), (1, 8))
LONG = th.Profile.same(masked_lm.INPUTS, (1, 4), (2, 16), (4, 64))


def on_device(inputs):
    return {name: tensor.to(th.device) for name, tensor in inputs.items()}


@pytest.fixture(scope="module")
def engine_file(tiny_bert, tmp_path_factory):
    return th.save_plan(th.build_plan(tiny_bert.onnx, [SHORT, LONG]), tmp_path_factory.mktemp("plans") / "bert.plan")


@pytest.fixture(scope="module")
def engine(engine_file):
    return legacy.load_engine(trt.Runtime(th.logger), engine_file)


@pytest.fixture
def context(engine):
    return engine.create_execution_context()


@pytest.fixture(scope="module")
def sums():
    """y = a + b, int32: what TensorRT 8 made of every model with int64 inputs."""
    model = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["": 20]>
        sums (int32[n] a, int32[n] b) => (int32[n] y) { y = Add(a, b) }
    """)
    profile = th.Profile.same(("a", "b"), (1,), (2,), (8,))
    return legacy.view(th.load_engine(th.build_plan(model, profile)))


def test_numbers_of_each_profile(engine):
    assert legacy.get_binding_idxs(engine, 0) == ([0, 1, 2], [3])
    assert legacy.get_binding_idxs(engine, 1) == ([4, 5, 6], [7])


@pytest.mark.parametrize(("profile", "batch", "length"), [(0, 1, 8), (1, 3, 12), (1, 1, 5)])
def test_inference_agrees_with_pytorch(tiny_bert, engine, context, profile, batch, length):
    context.active_optimization_profile = profile
    numbers = legacy.get_binding_idxs(engine, profile)
    ids = torch.randint(5, 20, (batch, length))
    inputs = {"input_ids": ids, "token_type_ids": torch.zeros_like(ids), "attention_mask": torch.ones_like(ids)}
    # by name, whatever the order of the dictionary
    outputs = legacy.infer_tensorrt(context, on_device(dict(reversed(inputs.items()))), *numbers)
    assert list(outputs) == ["logits"]
    with torch.no_grad():
        expected = tiny_bert.lm.model(**inputs).logits
    torch.testing.assert_close(outputs["logits"].cpu(), expected, atol=1e-3, rtol=1e-3)


def test_outputs_are_allocated_from_the_shapes_of_the_inputs(engine, context):
    shapes = [torch.empty(1, 8, dtype=torch.int64)] * 3
    outputs = legacy.get_output_tensors(context, shapes, *legacy.get_binding_idxs(engine, 0))
    (logits,) = outputs.values()
    assert (tuple(logits.shape), logits.dtype, logits.device.type) == ((1, 8, 20), torch.float32, th.device.type)


def test_a_refused_shape_names_the_call_and_gives_tensorrt_8s_words(engine, context):
    with pytest.raises(th.TensorRTError) as caught:
        legacy.get_output_tensors(context, [torch.empty(2, 8)] * 3, *legacy.get_binding_idxs(engine, 0))
    assert caught.value.key == "refused"
    assert "set_binding_shape(0, (2, 8)) returned False" in str(caught.value)
    assert "Supplied binding dimension [2,8] for bindings[0] exceed min ~ max range at index 0" in str(caught.value)


def test_too_few_numbers_are_noticed(context):
    context.active_optimization_profile = 1
    with pytest.raises(th.TensorRTError) as caught:
        legacy.get_output_tensors(context, [torch.empty(2, 8)], [4], [7])
    assert caught.value.key == "shapes_not_specified"


def test_numbers_of_another_profile_are_refused(engine, context):
    ids = torch.ones(1, 8, dtype=torch.int64)
    with pytest.raises(th.TensorRTError, match="Binding 4 is not one of profile 0"):
        legacy.infer_tensorrt(
            context, on_device(dict.fromkeys(masked_lm.INPUTS, ids)), *legacy.get_binding_idxs(engine, 1)
        )


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda t: [1, 2], "not_a_tensor"),
        (lambda t: t.float(), "wrong_dtype"),
        (lambda t: t.to(th.device).repeat(1, 2)[:, ::2], "not_contiguous"),
        (lambda t: t.to("meta"), "wrong_device"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(engine, context, change, key):
    good = torch.ones(1, 8, dtype=torch.int64)
    changed = change(good)
    inputs = on_device({"input_ids": good, "token_type_ids": good})
    if isinstance(changed, torch.Tensor) and changed.device.type == "cpu":
        changed = changed.to(th.device)
    inputs["attention_mask"] = changed
    with pytest.raises(th.TensorRTError) as caught:
        legacy.infer_tensorrt(context, inputs, *legacy.get_binding_idxs(engine, 0))
    assert (caught.value.key, caught.value.facts["tensor"]) == (key, "attention_mask")


def test_a_missing_input_is_named(engine, context):
    with pytest.raises(th.TensorRTError, match="Missing input.*attention_mask") as caught:
        legacy.infer_tensorrt(context, {}, *legacy.get_binding_idxs(engine, 0))
    assert caught.value.key == "inputs_missing"


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_int64_becomes_int32_where_the_engine_wants_it_and_is_reported(sums, dtype):
    context = sums.create_execution_context()
    a, b = torch.tensor([1, -2, 2**31 - 5], dtype=dtype), torch.tensor([10, 20, 4], dtype=dtype)
    with th.logger.quietly() as messages:
        outputs = legacy.infer_tensorrt(context, on_device({"a": a, "b": b}), *legacy.get_binding_idxs(sums, 0))
    assert outputs["y"].tolist() == [11, 18, 2**31 - 1]
    expected = [f"{n}: torch.int64 -> torch.int32, because the engine wants it." for n in "ab"]
    assert [m.text for m in messages if m.severity == "W"] == (expected if dtype == torch.int64 else [])


def test_int32_becomes_int64_where_the_engine_wants_it(tiny_bert, engine, context):
    ids = torch.randint(5, 20, (1, 8))
    ones = torch.ones_like(ids)
    numbers = legacy.get_binding_idxs(engine, 0)
    inputs = {"input_ids": ids, "token_type_ids": ones * 0, "attention_mask": ones}
    wide = legacy.infer_tensorrt(context, on_device(inputs), *numbers)["logits"]
    with th.logger.quietly() as messages:
        narrow = on_device({name: tensor.to(torch.int32) for name, tensor in inputs.items()})
        assert torch.equal(legacy.infer_tensorrt(context, narrow, *numbers)["logits"], wide)
    assert len(messages) == 3


def test_numbers_beyond_int32_are_refused(sums):
    context = sums.create_execution_context()
    a = torch.tensor([1, 2**31])
    with pytest.raises(th.TensorRTError, match="values go from 1 to 2147483648") as caught:
        legacy.infer_tensorrt(context, on_device({"a": a, "b": a}), *legacy.get_binding_idxs(sums, 0))
    assert caught.value.key == "int32_too_small"


@pytest.mark.skipif(th.device.type == "cuda", reason="a bad id fails a CPU stream, on a GPU it may do anything")
def test_after_a_failed_execution_the_context_still_works(lookup_engine):
    engine = legacy.view(lookup_engine)
    context, numbers = engine.create_execution_context(), legacy.get_binding_idxs(engine, 0)
    with th.logger.quietly(), pytest.raises(th.TensorRTError):
        legacy.infer_tensorrt(context, {"ids": torch.tensor([99])}, *numbers)
    assert legacy.infer_tensorrt(context, {"ids": torch.tensor([3])}, *numbers)["y"].tolist() == [30.0]


# ---- files --------------------------------------------------------------------------------------------------------


def test_save_and_load(engine, tmp_path):
    legacy.save_engine(engine, tmp_path / "copy.plan")
    again = legacy.load_engine(trt.Runtime(th.logger), str(tmp_path / "copy.plan"))
    assert isinstance(again, trt.ICudaEngine) and again.num_bindings == 8


def test_load_engine_of_no_file_and_of_no_plan(tmp_path):
    runtime = trt.Runtime(th.logger)
    with pytest.raises(th.TensorRTError) as caught:
        legacy.load_engine(runtime, tmp_path / "none.plan")
    assert caught.value.key == "plan_missing"
    (tmp_path / "bad.plan").write_bytes(b"x" * 200)
    with pytest.raises(th.TensorRTError, match="bad.plan is not a plan") as caught:
        legacy.load_engine(runtime, tmp_path / "bad.plan")
    assert "own words" in str(caught.value)


def test_an_engine_that_cannot_be_serialised():
    with pytest.raises(th.TensorRTError) as caught:
        legacy.save_engine(SimpleNamespace(serialize=lambda: None), "never.plan")
    assert caught.value.key == "plan_copy_lost"


def test_the_package_exports_the_old_names_and_keeps_its_own_load_engine():
    for name in ("get_binding_idxs", "get_output_tensors", "infer_tensorrt", "save_engine"):
        assert getattr(th, name) is getattr(legacy, name) and name in th.__all__
    assert th.load_engine is not legacy.load_engine


# ---- building -----------------------------------------------------------------------------------------------------

TRIPLE = ((1, 4), (2, 8), (4, 16))
WAYS = {
    "three arguments": {"min_shape": TRIPLE[0], "optimal_shape": TRIPLE[1], "max_shape": TRIPLE[2]},
    "one triple": {"shapes": TRIPLE},
    "one per input": {"shapes": {"x": TRIPLE, "w": TRIPLE}},
    "a list of profiles": {"shapes": [{"x": TRIPLE, "w": TRIPLE}]},
}


@pytest.fixture(scope="module")
def adder_file(adder, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "adder.onnx"
    path.write_bytes(adder)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_to_pass_shapes_build_the_same_profile(adder_file, way):
    runtime = trt.Runtime(th.logger)
    engine = legacy.build_engine(runtime, str(adder_file), th.logger, workspace_size=1 << 30, **WAYS[way])
    assert engine.num_bindings == 3
    for name in "xw":
        assert [tuple(s) for s in engine.get_profile_shape(0, name)] == list(TRIPLE)


def test_positional_arguments_are_in_the_old_order(adder_file):
    engine = legacy.build_engine(trt.Runtime(th.logger), adder_file, th.logger, *TRIPLE, 1 << 30, False, False)
    assert tuple(engine.get_profile_shape(0, 0)[2]) == (4, 16)


def test_two_profiles(adder_file):
    shapes = [dict.fromkeys("xw", TRIPLE), dict.fromkeys("xw", ((8, 4), (8, 4), (8, 4)))]
    engine = legacy.build_engine(trt.Runtime(th.logger), adder_file, th.logger, shapes=shapes)
    assert engine.num_bindings == 6 and tuple(engine.get_binding_shape(3)) == (8, 4)


@pytest.mark.parametrize("asked", ["fp16", "int8"])
def test_weak_typing_is_refused(adder_file, asked):
    with pytest.raises(th.TensorRTError, match=f"{asked}=True asks the builder") as caught:
        legacy.build_engine(trt.Runtime(th.logger), adder_file, th.logger, *TRIPLE, **{asked: True})
    assert caught.value.key == "weak_typing"


@pytest.mark.parametrize("wrong", [{"min_shape": (1, 4)}, {**WAYS["three arguments"], **WAYS["one triple"]}])
def test_half_a_triple_or_both_ways_at_once(adder_file, wrong):
    with pytest.raises(TypeError, match="all three, or shapes"):
        legacy.build_engine(trt.Runtime(th.logger), adder_file, th.logger, **wrong)


def test_a_missing_profile_and_bad_files_are_named(adder_file, tmp_path):
    runtime = trt.Runtime(th.logger)
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xff not onnx")
    for path, arguments, key in [
        (adder_file, {}, "profile_missing"),
        (tmp_path / "none.onnx", WAYS["one triple"], "onnx_missing"),
        (tmp_path / "bad.onnx", WAYS["one triple"], "onnx_unreadable"),
    ]:
        with pytest.raises(th.TensorRTError) as caught:
            legacy.build_engine(runtime, path, th.logger, **arguments)
        assert caught.value.key == key
