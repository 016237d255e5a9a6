"""TensorRT 8's members, one by one, on an engine with two profiles, and a whole script that changed its import only."""

import ast
import copy
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import onnx.parser
import pytest
import torch

import trt_helpers as th
from trt_helpers import legacy
from trt_helpers.decoding import model as masked_lm
from trt_helpers.legacy import trt

pytestmark = pytest.mark.filterwarnings("ignore:Use .* instead:DeprecationWarning")

SMALL = th.Profile.same(("x", "w"), (1, 4), (2, 4), (4, 4))  # 1 to 4 rows of exactly 4
LARGE = th.Profile.same(("x", "w"), (2, 8), (8, 8), (8, 16))
SCRIPT = Path(__file__).with_name("tensorrt8_script.py")


@pytest.fixture(scope="module")
def plan(adder):
    return th.build_plan(adder, [SMALL, LARGE])


@pytest.fixture(scope="module")
def engine(plan):
    return trt.Runtime(th.logger).deserialize_cuda_engine(plan)


@pytest.fixture
def context(engine):
    return engine.create_execution_context()


def on_device(tensor):
    return tensor.to(th.device)


# ---- numbers and names ------------------------------------------------------------------------------------------


def test_number_of_bindings(engine):
    assert (engine.num_io_tensors, engine.num_bindings, len(engine)) == (3, 6, 6)


def test_an_engine_is_never_false(engine):
    assert engine


def test_names_and_numbers(engine):
    names = ["x", "w", "y", "x [profile 1]", "w [profile 1]", "y [profile 1]"]
    assert [engine.get_binding_name(i) for i in range(6)] == names == list(engine)
    assert [engine.get_binding_index(name) for name in names] == list(range(6)) == [engine[name] for name in names]
    assert (engine[0], engine[-1]) == ("x", "y [profile 1]")


def test_names_and_numbers_that_there_are_not(engine):
    with th.logger.quietly() as messages:
        assert engine.get_binding_name(6) is None
        assert engine.get_binding_index("nope") == -1 == engine["nope"]
    assert "There is no binding 6, the engine has 6" in messages[0].text
    for index in (6, -7):
        with pytest.raises(IndexError, match="Out of bounds"):
            engine[index]


def test_keyword_names_are_those_of_tensorrt_8(engine):
    assert engine.get_binding_name(index=1) == "w"
    assert engine.get_binding_index(name="w") == 1
    assert engine.binding_is_input(index=1) and engine.binding_is_input(name="w")
    assert engine.get_binding_dtype(name="w") == engine.get_binding_dtype(index=1)
    assert tuple(engine.get_binding_shape(name="w")) == tuple(engine.get_binding_shape(index=1))
    assert engine.get_location(name="w") == engine.get_location(index=1)
    assert len(engine.get_profile_shape(profile_index=0, binding="x")) == 3
    for arguments in ({}, {"index": 0, "name": "x"}):
        with pytest.raises(TypeError, match="either by its index or by its name"):
            engine.binding_is_input(**arguments)


# ---- one binding --------------------------------------------------------------------------------------------------


def test_binding_is_input(engine):
    assert [engine.binding_is_input(i) for i in range(6)] == [True, True, False] * 2
    assert engine.binding_is_input("x [profile 1]") and not engine.binding_is_input("y")
    with th.logger.quietly() as messages:
        assert not engine.binding_is_input(99) and not engine.binding_is_input("nope")
    assert len(messages) == 2


def test_binding_dtype(engine):
    assert {engine.get_binding_dtype(i) for i in range(6)} == {trt.DataType.FLOAT}
    assert engine.get_binding_dtype("y [profile 1]") == trt.float32
    with th.logger.quietly():
        assert engine.get_binding_dtype(99) == trt.DataType.FLOAT


def test_binding_shape_is_open_only_where_its_own_profile_leaves_a_choice(engine):
    assert tuple(engine.get_tensor_shape("x")) == (-1, -1)
    assert [tuple(engine.get_binding_shape(i)) for i in (0, 1, 3, 4)] == [(-1, 4), (-1, 4), (-1, -1), (-1, -1)]
    assert tuple(engine.get_binding_shape("x [profile 1]")) == (-1, -1)
    assert tuple(engine.get_binding_shape("y")) == (-1, -1)
    with th.logger.quietly():
        assert tuple(engine.get_binding_shape(99)) == ()


def test_locations_and_formats(engine):
    assert engine.get_location(3) == trt.TensorLocation.DEVICE
    assert (engine.is_shape_binding(0), engine.is_execution_binding(0)) == (False, True)
    assert engine.get_binding_format(4) == trt.TensorFormat.LINEAR
    assert "linear" in engine.get_binding_format_desc(4)
    assert engine.get_binding_vectorized_dim(5) == -1
    assert engine.get_binding_bytes_per_component(5) == -1
    assert engine.get_binding_components_per_element(5) == -1
    with th.logger.quietly():
        assert engine.get_location(99) == trt.TensorLocation.DEVICE
        assert (engine.is_shape_binding(99), engine.is_execution_binding(99)) == (False, False)
        assert (engine.get_binding_format(99), engine.get_binding_format_desc(99)) == (trt.TensorFormat.LINEAR, "")
        assert engine.get_binding_vectorized_dim(99) == -1


def test_a_format_query_knows_its_profile_and_does_not_warn(engine):
    with th.logger.quietly() as messages:
        engine.get_binding_format(0)
    assert messages == []


# ---- profiles -----------------------------------------------------------------------------------------------------


def shapes(three):
    return [tuple(shape) for shape in three]


def is_invalid(dims):
    with pytest.raises(ValueError):
        tuple(dims)
    return True


def test_profile_shape(engine):
    assert shapes(engine.get_profile_shape(0, 0)) == [(1, 4), (2, 4), (4, 4)]
    assert shapes(engine.get_profile_shape(1, 3)) == [(2, 8), (8, 8), (8, 16)]
    assert shapes(engine.get_profile_shape(1, "w [profile 1]")) == [(2, 8), (8, 8), (8, 16)]


def test_profile_shape_corrects_a_binding_of_profile_0(engine):
    assert shapes(engine.get_profile_shape(1, 0)) == shapes(engine.get_profile_shape(1, 3))
    assert shapes(engine.get_profile_shape(1, "x")) == shapes(engine.get_profile_shape(1, 3))


@pytest.mark.parametrize(("profile", "binding"), [(0, 3), (0, 2), (0, 99), (0, "nope"), (9, 0)])
def test_profile_shape_of_no_input_of_that_profile_is_invalid(engine, profile, binding):
    with th.logger.quietly():
        assert all(is_invalid(dims) for dims in engine.get_profile_shape(profile, binding))


def test_profile_shape_input_needs_a_shape_input(engine):
    with pytest.raises(RuntimeError, match="does not correspond to an input shape tensor"):
        engine.get_profile_shape_input(0, 0)


def test_active_profile_is_assigned(context):
    assert context.active_optimization_profile == 0
    context.active_optimization_profile = 1
    assert context.active_optimization_profile == 1 == context.real.active_optimization_profile


@pytest.mark.parametrize("profile", [-1, 2])
def test_a_profile_that_there_is_not_raises_tensorrt_8s_words(context, profile):
    with th.logger.quietly() as messages, pytest.raises(RuntimeError) as caught:
        context.active_optimization_profile = profile
    assert str(caught.value) == "Error in set optimization profile."
    assert "profileIndex < mEngine.getNbOptimizationProfiles()" in messages[0].text
    assert context.active_optimization_profile == 0


# ---- shapes -------------------------------------------------------------------------------------------------------


def test_shapes_of_profile_0(context):
    assert tuple(context.get_binding_shape(0)) == (-1, 4) and not context.all_binding_shapes_specified
    assert context.set_binding_shape(0, (2, 4)) and context.set_binding_shape(binding=1, shape=torch.Size((2, 4)))
    assert context.all_binding_shapes_specified
    assert [tuple(context.get_binding_shape(i)) for i in range(3)] == [(2, 4)] * 3
    assert tuple(context.get_strides(2)) == (4, 1)


def test_shapes_of_profile_1_and_the_correction(context):
    context.active_optimization_profile = 1
    assert context.set_binding_shape(3, (8, 16)) and context.set_binding_shape(4, (8, 16))
    assert tuple(context.get_binding_shape(5)) == (8, 16)
    assert tuple(context.get_binding_shape(2)) == (8, 16), "a binding of profile 0 stands for its twin"
    context.active_optimization_profile = 0
    assert not context.all_binding_shapes_specified
    with th.logger.quietly():
        assert is_invalid(context.get_binding_shape(5)) and is_invalid(context.get_binding_shape(99))
        assert is_invalid(context.get_strides(5))


def test_setting_a_shape_corrects_nothing(context):
    context.active_optimization_profile = 1
    with th.logger.quietly() as messages:
        assert context.set_binding_shape(0, (8, 16)) is False
    assert "Binding 0 is not one of profile 1, whose bindings are 3 to 5." in messages[0].text
    assert not context.all_binding_shapes_specified


@pytest.mark.parametrize(
    ("shape", "condition", "words"),
    [
        ((5, 4), "profileMaxDims.d[i] >= dimensions.d[i]", "at index 0, maximum dimension in profile is 4, minimum"),
        (
            (0, 4),
            "profileMinDims.d[i] <= dimensions.d[i]",
            "minimum dimension in profile is 1, but supplied dimension is 0.",
        ),
        ((2, 5), "profileMaxDims.d[i] >= dimensions.d[i]", "at index 1, maximum dimension in profile is 4"),
    ],
)
def test_a_shape_outside_the_profile_has_tensorrt_8s_text(context, shape, condition, words):
    assert context.set_binding_shape(1, (3, 4))
    with th.logger.quietly() as messages:
        assert context.set_binding_shape(1, shape) is False
    (message,) = messages
    assert f"condition: {condition}. Supplied binding dimension [{shape[0]},{shape[1]}] for bindings[1]" in message.text
    assert words in message.text
    assert tuple(context.get_binding_shape(1)) == (3, 4), "the old shape stays in force"


@pytest.mark.parametrize(("binding", "shape"), [(0, (2,)), (0, (2, 4, 1)), (2, (2, 4))])
def test_what_tensorrt_8_and_today_say_alike_is_left_to_the_named_api(context, binding, shape):
    with th.logger.quietly() as messages:
        assert context.set_binding_shape(binding, shape) is False
    assert "setInputShape" in messages[0].text


def test_what_is_no_shape_is_a_type_error(context):
    with pytest.raises(TypeError):
        context.set_binding_shape(0, 4)


# ---- execution ----------------------------------------------------------------------------------------------------


def pointers(*tensors):
    return [tensor.data_ptr() for tensor in tensors]


def prepared(context, profile, rows, columns):
    """Shapes set; x, w, y on the device; what y must become."""
    start = 3 * profile
    context.active_optimization_profile = profile
    x, w = torch.randn(rows, columns), torch.randn(rows, columns)
    for binding in (start, start + 1):
        assert context.set_binding_shape(binding, (rows, columns))
    tensors = [on_device(x), on_device(w), on_device(torch.zeros(rows, columns))]
    if th.device.type == "cuda":
        torch.cuda.synchronize()
    return start, tensors, 2 * x + w


@pytest.mark.parametrize(("profile", "rows", "columns"), [(0, 3, 4), (1, 7, 12)])
@pytest.mark.parametrize("how", ["sync", "async", "stream 0", "full length"])
def test_both_profiles_compute_what_pytorch_computes(context, profile, rows, columns, how):
    start, tensors, expected = prepared(context, profile, rows, columns)
    bindings = [0] * start + pointers(*tensors)
    if how == "full length":
        bindings += [0] * (6 - len(bindings))
    if how == "async":
        stream = th.Stream()
        assert context.execute_async_v2(bindings, stream.handle)
        stream.synchronize()
    elif how == "stream 0":
        assert context.execute_async_v2(bindings=bindings, stream_handle=0)
    else:
        assert context.execute_v2(bindings=bindings)
    torch.testing.assert_close(tensors[2].cpu(), expected)


def test_one_context_goes_back_and_forth(context):
    for profile, rows, columns in [(0, 3, 4), (1, 8, 16), (0, 1, 4), (1, 2, 8)]:
        start, tensors, expected = prepared(context, profile, rows, columns)
        assert context.execute_v2([0] * start + pointers(*tensors))
        torch.testing.assert_close(tensors[2].cpu(), expected)


def test_entries_of_other_profiles_are_ignored(context):
    start, tensors, expected = prepared(context, 1, 4, 8)
    others = [on_device(torch.full((4, 8), 9.0)) for _ in range(3)]
    assert context.execute_v2(pointers(*others, *tensors))
    torch.testing.assert_close(tensors[2].cpu(), expected)
    assert (others[2] == 9).all()


@pytest.mark.parametrize("run", ["execute_v2", "execute_async_v2"])
def test_a_list_that_ends_too_early_is_refused(context, run):
    _, tensors, _ = prepared(context, 1, 4, 8)
    arguments = () if run == "execute_v2" else (th.Stream().handle,)
    with th.logger.quietly() as messages:
        assert getattr(context, run)(pointers(*tensors), *arguments) is False
    assert "The list has 3 addresses, the active profile's are the entries 3 to 5." in messages[0].text
    assert (tensors[2] == 0).all()


def test_a_missing_shape_is_refused_by_the_lane(context):
    buffers = [on_device(torch.zeros(4, 4)) for _ in range(3)]
    with th.logger.quietly() as messages:
        assert context.execute_v2(pointers(*buffers)) is False
    assert "Not all shapes are specified" in messages[0].text


def test_addresses_are_integers(context):
    prepared(context, 0, 2, 4)
    with pytest.raises(TypeError):
        context.execute_v2([torch.zeros(2, 4)] * 3)


def test_input_consumed_event(context):
    if th.device.type == "cuda":
        event = torch.cuda.Event()
        event.record()
        handle = event.cuda_event
    else:
        from trt_helpers.cpu_stream import CpuEvent

        event = CpuEvent()
        handle = event.handle
    _, tensors, expected = prepared(context, 0, 2, 4)
    stream = th.Stream()
    assert context.execute_async_v2(pointers(*tensors), stream.handle, handle)
    assert context.get_input_consumed_event() == handle
    event.synchronize() if th.device.type == "cuda" else event.wait()
    stream.synchronize()
    torch.testing.assert_close(tensors[2].cpu(), expected)
    assert context.execute_async_v2(pointers(*tensors), stream.handle)
    assert context.get_input_consumed_event() == 0, "an event belongs to one call"
    stream.synchronize()


# ---- shape inputs -------------------------------------------------------------------------------------------------


def test_shape_inputs():
    model = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 20]>
        stretch (float[n] x, int64[2] s) => (float[a, b] y) { y = Expand(x, s) }
    """).SerializeToString()
    onnx_builder = th.trt.Builder(th.logger)
    network = onnx_builder.create_network()
    assert th.trt.OnnxParser(network, th.logger).parse(model)
    profile, config = onnx_builder.create_optimization_profile(), onnx_builder.create_builder_config()
    profile.set_shape("x", (1,), (2,), (4,))
    profile.set_shape_input("s", [1, 1], [2, 2], [4, 4])
    assert config.add_optimization_profile(profile) == 0
    plan = onnx_builder.build_serialized_network(network, config)
    assert plan is not None, th.logger.last_error
    engine = trt.Runtime(th.logger).deserialize_cuda_engine(plan)
    context = engine.create_execution_context()
    s = engine["s"]
    assert (engine.is_shape_binding(s), engine.is_execution_binding(s)) == (True, False)
    assert engine.get_profile_shape_input(0, s) == [[1, 1], [2, 2], [4, 4]]
    assert context.set_binding_shape(0, (2,)) and not context.all_shape_inputs_specified
    assert context.get_shape(s) == []
    assert context.set_shape_input(s, [3, 2]) and context.get_shape(s) == [3, 2]
    assert not context.set_shape_input(0, [3])
    assert context.all_shape_inputs_specified and context.all_binding_shapes_specified
    assert tuple(context.get_binding_shape(2)) == (3, 2)
    x, y = on_device(torch.tensor([1.0, 2.0])), on_device(torch.zeros(3, 2))
    assert context.execute_v2([x.data_ptr(), 0, y.data_ptr()]), "0 stands for the values that were set"
    assert y.tolist() == [[1.0, 2.0]] * 3


# ---- gone, and stepping aside -------------------------------------------------------------------------------------


def test_batches_are_explicit(engine):
    assert engine.has_implicit_batch_dimension is False
    assert engine.max_batch_size == 1


def test_device_memory(engine):
    assert engine.device_memory_size == engine.device_memory_size_v2
    context = engine.create_execution_context_without_device_memory()
    _, tensors, _ = prepared(context, 0, 2, 4)
    with th.logger.quietly():
        assert context.execute_v2(pointers(*tensors)) is False


@pytest.mark.parametrize(
    ("call", "now"),
    [
        (lambda e, c: e.get_binding_name(0), "get_tensor_name"),
        (lambda e, c: e.get_binding_index("x"), "get_tensor_name"),
        (lambda e, c: e.binding_is_input(0), "get_tensor_mode"),
        (lambda e, c: e.get_binding_dtype(0), "get_tensor_dtype"),
        (lambda e, c: e.get_binding_shape(0), "get_tensor_shape"),
        (lambda e, c: e.get_profile_shape(0, 0), "get_tensor_profile_shape"),
        (lambda e, c: c.set_binding_shape(0, (1, 4)), "set_input_shape"),
        (lambda e, c: c.get_binding_shape(0), "get_tensor_shape"),
        (lambda e, c: setattr(c, "active_optimization_profile", 0), "set_optimization_profile_async"),
    ],
)
def test_old_calls_say_what_replaces_them_and_where_they_stand(engine, context, call, now):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(engine, context)
    (warning,) = caught
    assert (warning.category, str(warning.message)) == (DeprecationWarning, f"Use {now} instead.")
    assert warning.filename == __file__


def test_calls_without_a_warning_in_tensorrt_8_have_none_here(engine, context):
    _, tensors, _ = prepared(context, 0, 2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            engine.num_bindings
            and len(engine)
            and engine["x"] == 0
            and engine[0]
            and not engine.has_implicit_batch_dimension
        )
        assert context.all_binding_shapes_specified and context.active_optimization_profile == 0
        assert context.execute_v2(pointers(*tensors))


def test_a_copy_of_a_view_is_a_view(engine):
    assert copy.copy(engine).num_bindings == 6


def test_everything_else_is_the_real_objects(engine, context):
    assert engine.get_tensor_name(0) == "x" and engine.num_optimization_profiles == 2
    assert context.engine is engine and context.real.engine is engine.real
    context.name = "mine"
    assert context.real.name == "mine"
    with pytest.raises(AttributeError):
        engine.num_bindings = 3
    with pytest.raises(AttributeError, match="no_such_member"):
        engine.no_such_member  # noqa: B018
    assert "get_tensor_name" in dir(engine) and "get_binding_name" in dir(engine)
    assert "view" in repr(engine)


def test_the_namespace_is_the_lanes_but_for_three_names():
    assert trt.Builder is th.trt.Builder and trt.float32 == th.trt.float32 and trt.__version__ == th.trt.__version__
    assert issubclass(trt.ICudaEngine, legacy.namespace.View) and "Runtime" in dir(trt) and "Builder" in dir(trt)
    with pytest.raises(AttributeError):
        trt.no_such_name  # noqa: B018


def test_objects_are_instances_of_the_namespaces_classes(engine, context):
    assert isinstance(engine, trt.ICudaEngine) and isinstance(context, trt.IExecutionContext)


def test_with_statements_of_old_scripts_work(plan):
    with trt.Runtime(th.logger) as runtime, runtime.deserialize_cuda_engine(plan) as engine:
        with engine.create_execution_context() as context:
            assert context.engine.num_bindings == 6


def test_a_bad_plan_is_none():
    with th.logger.quietly():
        assert trt.Runtime(th.logger).deserialize_cuda_engine(b"no plan") is None


def test_helpers_take_a_view_like_an_engine(engine):
    x, w = on_device(torch.ones(2, 4)), on_device(torch.ones(2, 4))
    outputs = th.infer(engine.create_execution_context(), {"x": x, "w": w})
    assert (outputs["y"] == 3).all()


def test_view_of_an_engine_that_was_loaded_elsewhere(plan):
    engine = th.load_engine(plan)
    assert legacy.view(engine).num_bindings == 6


def test_an_engine_of_a_real_tensorrt_8_is_taken_as_it_is():
    real = SimpleNamespace(num_bindings=2)
    assert legacy.view(real) is real


@pytest.mark.parametrize(
    ("has_bindings", "has_gpu", "forced", "steps_aside"),
    [(True, True, "", True), (True, False, "", False), (False, True, "", False), (True, True, "reference", False)],
)
def test_a_real_tensorrt_8_takes_over(monkeypatch, has_bindings, has_gpu, forced, steps_aside):
    real = ModuleType("tensorrt")
    real.ICudaEngine = type("ICudaEngine", (), {"num_bindings": 2} if has_bindings else {})
    monkeypatch.setitem(sys.modules, "tensorrt", real)
    monkeypatch.setattr(legacy.lanes, "device", torch.device("cuda" if has_gpu else "cpu"))
    monkeypatch.setenv("TRT_HELPERS_BACKEND", forced)
    assert (legacy._namespace() is real) == steps_aside


# ---- a whole script -----------------------------------------------------------------------------------------------

MEMBERS = """num_bindings binding_is_input get_binding_name get_binding_index get_binding_shape get_binding_dtype
    get_profile_shape has_implicit_batch_dimension max_batch_size set_binding_shape all_binding_shapes_specified
    active_optimization_profile execute_v2 execute_async_v2""".split()


def test_the_script_uses_every_member():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(MEMBERS) <= used
    assert "len(engine)" in SCRIPT.read_text() and "engine[binding]" in SCRIPT.read_text()


def test_a_tensorrt_8_script_runs_with_its_import_changed_and_nothing_else(tiny_bert, tmp_path):
    old = SCRIPT.read_text(encoding="utf-8")
    assert old.count("import tensorrt as trt") == 1
    script, plan, result = tmp_path / "script.py", tmp_path / "two.plan", tmp_path / "result.pt"
    script.write_text(old.replace("import tensorrt as trt", "from trt_helpers.legacy import trt"))
    profiles = [
        th.Profile.same(masked_lm.INPUTS, (1, 8), (1, 8), (1, 8)),
        th.Profile.same(masked_lm.INPUTS, (1, 4), (2, 16), (4, 32)),
    ]
    th.save_plan(th.build_plan(tiny_bert.onnx, profiles), plan)
    command = [sys.executable, str(script), str(plan), str(result)]
    known = [str(Path(th.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, known))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "0 input  input_ids int64 (1, 8)" and lines[4] == "4 input  input_ids [profile 1] int64 (-1, -1)"
    for ids, logits in torch.load(result).values():
        inputs = {"input_ids": ids, "token_type_ids": torch.ones_like(ids), "attention_mask": torch.ones_like(ids)}
        with torch.no_grad():
            torch.testing.assert_close(logits, tiny_bert.lm.model(**inputs).logits, atol=1e-4, rtol=1e-4)
