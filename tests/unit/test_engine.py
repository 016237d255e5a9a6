import os
from pathlib import Path

import onnx
import pytest
import torch

import trt_helpers as th
from trt_helpers import TensorRTError, trt
from trt_helpers.building.plan import Profile

from .conftest import parse

PROFILE = Profile.same(("x", "w"), (1, 4), (2, 8), (8, 16))
UNKNOWN_OPERATOR = "g (float[n] x) => (float[n] y) { y = NoSuchOperator(x) }"
reference_only = pytest.mark.skipif(
    th.lane.name != "reference", reason="plans of the reference lane have a second part"
)


def refusal(call, *args, **kwargs) -> TensorRTError:
    with pytest.raises(TensorRTError) as caught:
        call(*args, **kwargs)
    return caught.value


# ---- Profile --------------------------------------------------------------------------------------------------


def test_profile_is_a_dict_in_three_spellings():
    three = ((1, 4), (2, 8), (8, 16))
    assert Profile(x=three) == Profile({"x": three}) == Profile.same(["x"], *three) == {"x": three}
    assert Profile({"with.dot": three}, y=three) == {"with.dot": three, "y": three}


# ---- build_plan -----------------------------------------------------------------------------------------------


def works(plan) -> bool:
    context = th.load_engine(plan).create_execution_context()
    x, w = torch.rand(3, 5, device=th.device), torch.rand(3, 5, device=th.device)
    return torch.allclose(th.infer(context, {"x": x, "w": w})["y"], 2 * x + w)


@pytest.mark.parametrize("form", ["bytes", "bytearray", "memoryview", "ModelProto", "str", "Path"])
def test_onnx_in_every_form(adder, tmp_path, form):
    path = tmp_path / "adder.onnx"
    path.write_bytes(adder)
    forms = {
        "bytes": adder,
        "bytearray": bytearray(adder),
        "memoryview": memoryview(adder),
        "ModelProto": onnx.load_from_string(adder),
        "str": str(path),
        "Path": path,
    }
    assert works(th.build_plan(forms[form], PROFILE))


def test_weights_in_a_file_of_their_own(tmp_path):
    weights = onnx.numpy_helper.from_array(torch.arange(2000.0).numpy(), "t")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "t"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2000])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2000])],
        [weights],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    context = th.load_engine(th.build_plan(tmp_path / "m.onnx")).create_execution_context()
    x = torch.rand(2000, device=th.device)
    assert torch.allclose(th.infer(context, {"x": x})["y"].cpu(), x.cpu() + torch.arange(2000.0))


def test_static_model_needs_no_profile():
    plan = th.build_plan(parse("g (float[2] x) => (float[2] y) { y = Add(x, x) }"))
    assert th.load_engine(plan).num_optimization_profiles == 1


def test_several_profiles(adder):
    wide = Profile.same(("x", "w"), (1, 17), (1, 20), (2, 64))
    engine = th.load_engine(th.build_plan(adder, [PROFILE, wide]))
    assert engine.num_optimization_profiles == 2
    assert [tuple(shape) for shape in engine.get_tensor_profile_shape("x", 1)] == [(1, 17), (1, 20), (2, 64)]


def test_plan_says_its_size(adder_plan):
    assert adder_plan.nbytes == len(bytes(adder_plan)) > 1000


def test_own_logger_gets_the_messages(adder):
    mine = th.Logger(None)
    refusal(th.build_plan, adder, [], log=mine)
    assert any("no optimization profile has been defined" in text for text in mine.errors)
    assert not th.logger.errors


@pytest.mark.parametrize("as_type", [str, Path])
def test_missing_onnx_file(tmp_path, as_type):
    error = refusal(th.build_plan, as_type(tmp_path / "no.onnx"))
    assert error.key == "onnx_missing"
    assert f"There is no ONNX file '{tmp_path / 'no.onnx'}'." in str(error) and "Export the model first" in str(error)


def test_onnx_path_that_is_a_folder(tmp_path):
    error = refusal(th.build_plan, tmp_path)
    assert error.key == "onnx_unreadable"
    assert "Is a directory" in str(error) and str(tmp_path) in str(error)


def test_onnx_file_without_permission(tmp_path, monkeypatch):
    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "m.onnx is not a readable ONNX model: Permission denied." in str(refusal(th.build_plan, tmp_path / "m.onnx"))


@pytest.mark.parametrize(
    "content", [b"not an ONNX file", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"]
)
def test_onnx_file_with_other_content(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    error = refusal(th.build_plan, path, PROFILE)
    assert error.key == "onnx_unreadable"
    assert "model.onnx is not a readable ONNX model" in str(error) and "Git LFS" in str(error)


def test_truncated_onnx_file(adder, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(adder[:-20])
    error = refusal(th.build_plan, path, PROFILE)
    assert error.key in ("onnx_unreadable", "onnx_empty", "onnx_refused")
    assert "model.onnx" in str(error)


@pytest.mark.parametrize("empty", [b"", onnx.ModelProto()])
def test_empty_onnx(empty):
    error = refusal(th.build_plan, empty)
    assert error.key == "onnx_empty"
    assert "the ONNX model holds no graph: the network has 0 input(s) and 0 output(s)." in str(error)


def test_unsupported_operator(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(parse(UNKNOWN_OPERATOR))
    error = refusal(th.build_plan, path, Profile(x=((1,), (2,), (4,))))
    assert error.key == "onnx_refused"
    assert "The parser refused model.onnx: " in str(error) and "operator NoSuchOperator, node" in str(error)


@pytest.mark.parametrize(
    ("three", "clause"),
    [
        (((4, 4), (2, 4), (8, 16)), "x: dimension 0 has min 4, opt 2, max 8."),
        (((1, 4), (2, 32), (8, 16)), "x: dimension 1 has min 4, opt 32, max 16."),
        (((1,), (2, 4), (8, 16)), "x: (1,), (2, 4), (8, 16) differ in their number of dimensions."),
        (((-1, 4), (2, 4), (8, 16)), "has a size below 0 or above 2147483647."),
        (((1, 4), (2, 4), (2**31, 16)), "has a size below 0 or above 2147483647."),
        (((1, 4), (2, 4)), "x: expected three shapes (min, opt, max), tuples of whole numbers"),
        ((1, 4, 8), "x: expected three shapes (min, opt, max), tuples of whole numbers"),
        (((1, 4.5), (2, 8), (8, 16)), "x: expected three shapes (min, opt, max), tuples of whole numbers"),
        (None, "x: expected three shapes (min, opt, max), tuples of whole numbers, got None."),
    ],
)
def test_invalid_profile(adder, three, clause):
    good = ((1, 4), (2, 8), (8, 16))
    error = refusal(th.build_plan, adder, [PROFILE, Profile(x=three, w=good)])
    assert error.key == "profile_invalid"
    assert str(error).startswith("Profile 1 is not valid: ") and clause in str(error)
    assert "Every dimension needs min <= opt <= max" in str(error)


def test_invalid_profile_quotes_tensorrt(adder):
    error = refusal(th.build_plan, adder, Profile(PROFILE, x=((4, 4), (2, 4), (8, 16))))
    assert "please ensure that the optimization profiles satisfy MIN<=OPT<=MAX" in error.log


def test_unknown_input_in_a_profile(adder):
    error = refusal(th.build_plan, adder, Profile(PROFILE, X=((1, 4), (2, 8), (8, 16))))
    assert error.key == "profile_unknown_input"
    assert "Profile 0 names 'X', which is not an input of the network. Its inputs: x, w." in str(error)


@pytest.mark.parametrize("none", [(), []])
def test_no_profile(adder, none):
    error = refusal(th.build_plan, adder, none)
    assert error.key == "profile_missing"
    assert "dynamic inputs (x, w), but no optimization profile was given" in str(error)
    assert "no optimization profile has been defined" in error.log


@pytest.mark.parametrize("profiles", [Profile(x=PROFILE["x"]), [PROFILE, Profile(x=PROFILE["x"])]])
def test_incomplete_profile(adder, profiles):
    error = refusal(th.build_plan, adder, profiles)
    index = 0 if isinstance(profiles, dict) else 1
    assert error.key == "profile_incomplete"
    assert f"Profile {index} says nothing about the dynamic input 'w'." in str(error)
    assert "Add w=(min, opt, max)" in str(error)
    assert "is missing dimensions in profile" in error.log


@pytest.mark.parametrize(
    ("graph", "three"),
    [
        ("g (float[n,4] x) => (float[n,4] y) { y = Add(x, x) }", ((1, 4, 1), (2, 4, 1), (8, 4, 1))),
        ("g (float[n,4] x) => (float[n,4] y) { y = Add(x, x) }", ((1, 5), (2, 5), (8, 5))),
        ("g (float[2,4] x) => (float[2,4] y) { y = Add(x, x) }", ((1, 4), (2, 4), (8, 4))),
    ],
)
def test_profile_that_does_not_fit_the_network(graph, three):
    error = refusal(th.build_plan, parse(graph), Profile(x=three))
    assert error.key == "profile_mismatch"
    network = "(2, 4)" if "[2,4]" in graph else "(-1, 4)"
    assert f"Profile 0 does not fit the input 'x', which has the shape {network} in the network" in str(error)
    assert str(three[0]) in str(error) and "buildSerializedNetwork" in error.log


def test_builder_refuses_for_a_reason_that_we_have_no_row_for(adder):
    unequal = Profile(x=((1, 4), (2, 8), (8, 16)), w=((1, 4), (3, 8), (8, 16)))
    error = refusal(th.build_plan, adder, unequal)
    assert error.key == "build_failed"
    assert "The builder returned None" in str(error) and "kOPT values are not self-consistent" in str(error)


def test_after_refusals_the_next_build_works(adder):
    for wrong in ([], Profile(x=((4, 4), (2, 4), (8, 16))), Profile(z=PROFILE["x"])):
        refusal(th.build_plan, adder, wrong)
    assert works(th.build_plan(adder, PROFILE))


# ---- save_plan ------------------------------------------------------------------------------------------------


def test_saved_plan_is_the_plan_and_loads(adder_plan, tmp_path):
    path = th.save_plan(adder_plan, tmp_path / "new" / "folder" / "a.plan")
    assert path.read_bytes() == bytes(adder_plan)
    assert works(path) and works(str(path))
    assert os.listdir(path.parent) == ["a.plan"]


def test_failing_write_keeps_the_old_file_and_leaves_nothing_behind(adder_plan, tmp_path, monkeypatch):
    path = th.save_plan(adder_plan, tmp_path / "a.plan")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        th.save_plan(bytes(100), path)
    assert path.read_bytes() == bytes(adder_plan)
    assert os.listdir(tmp_path) == ["a.plan"]


@pytest.mark.parametrize("call", [lambda path: th.save_plan(None, path), lambda _: th.load_engine(None)])
def test_none_is_a_build_that_failed(tmp_path, call):
    builder = trt.Builder(th.logger)
    assert builder.build_serialized_network(builder.create_network(), builder.create_builder_config()) is None
    error = refusal(call, tmp_path / "a.plan")
    assert error.key == "build_failed" and error.log == th.logger.last_error != ""
    assert builder.create_network().get_input(9) is None  # another line, which has nothing to do with a build
    assert refusal(call, tmp_path / "a.plan").log == ""
    assert not (tmp_path / "a.plan").exists()


# ---- load_engine ------------------------------------------------------------------------------------------------


def load_file(tmp_path, content: bytes) -> TensorRTError:
    """The refusal of a file with this content: it must name the file, and say what to do."""
    path = tmp_path / "some.plan"
    path.write_bytes(content)
    error = refusal(th.load_engine, path)
    assert "some.plan" in str(error).splitlines()[0]
    assert "uild" in str(error).splitlines()[1]
    return error


def test_missing_plan_file(tmp_path):
    error = refusal(th.load_engine, tmp_path / "no.plan")
    assert error.key == "plan_missing" and str(tmp_path / "no.plan") in str(error) and "build_plan" in str(error)


def test_plan_path_that_is_a_folder(tmp_path):
    error = refusal(th.load_engine, tmp_path)
    assert error.key == "plan_unreadable" and str(tmp_path) in str(error) and "Is a directory" in str(error)


def test_empty_plan_file(tmp_path):
    error = load_file(tmp_path, b"")
    assert error.key == "plan_empty" and "empty memory buffer" in error.log


def test_file_of_a_few_bytes(tmp_path):
    assert load_file(tmp_path, b"abc").key == "plan_too_short"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"This is a text file, and no plan.\n" * 20, "not a plan"),
        (b"ftrt" + bytes(1000), "a plan of TensorRT"),
        (b"PK\x03\x04" + bytes(1000), "a zip file"),
        (b"\x00" * 1000, "not a plan"),
    ],
)
def test_foreign_file(tmp_path, content, what):
    error = load_file(tmp_path, content)
    assert error.key == "plan_foreign"
    assert f"some.plan is {what}, which the lane '{th.lane.name}' cannot run." in str(error)
    assert str(int.from_bytes(content[:4], "little")) in error.log


def test_onnx_file_in_place_of_a_plan(adder, tmp_path):
    assert "some.plan is an ONNX file, which" in str(load_file(tmp_path, adder))


def test_plan_of_full_tensorrt(adder_plan, tmp_path):
    from trt_helpers.reference.plan import TENSORRT_MAGIC

    error = load_file(tmp_path, TENSORRT_MAGIC.to_bytes(4, "little") + bytes(adder_plan)[4:500])
    assert "some.plan is a plan of TensorRT, which" in str(error)
    assert "Plans are not portable" in str(error)


@reference_only
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, -1, -40, -100])
def test_truncated_plan(adder_plan, tmp_path, kept):
    whole = bytes(adder_plan)
    error = load_file(tmp_path, whole[: int(kept * len(whole)) if kept > 0 else kept])
    assert error.key == "plan_damaged"
    assert "Copy it again, or build it again" in str(error)


@reference_only
@pytest.mark.parametrize("extra", [b"\0", b"some more bytes", bytes(5000)])
def test_plan_with_bytes_behind_it(adder_plan, tmp_path, extra):
    assert load_file(tmp_path, bytes(adder_plan) + extra).key == "plan_damaged"


@reference_only
@pytest.mark.parametrize(
    "where",
    ["start of TensorRT-RTX's part", "TensorRT-RTX's part", "ONNX", "shapes", "header", "format", "lengths", "digest"],
)
def test_one_flipped_byte(adder_plan, tmp_path, where):
    from trt_helpers.reference.plan import split

    whole = bytearray(adder_plan)
    parts = split(memoryview(bytes(whole)))
    rtx, graph, shapes, end = len(parts.tensorrt_rtx), len(parts.onnx), len(parts.shapes), len(whole)
    places = {
        "start of TensorRT-RTX's part": 1,
        "TensorRT-RTX's part": rtx // 2,
        "ONNX": rtx + graph // 2,
        "shapes": rtx + graph + shapes // 2,
        "header": rtx + graph + shapes + 10,
        "format": end - 72,
        "lengths": end - 60,
        "digest": end - 1,
    }
    whole[places[where]] ^= 1
    error = load_file(tmp_path, bytes(whole))
    assert error.key == "plan_damaged" and "its checksum does not match" in str(error)


@reference_only
def test_plan_of_tensorrt_rtx_alone(adder, tmp_path):
    import tensorrt_rtx as rtx

    builder = rtx.Builder(th.logger)
    network = builder.create_network()
    assert rtx.OnnxParser(network, th.logger).parse(adder)
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for name, three in PROFILE.items():
        profile.set_shape(name, *three)
    config.add_optimization_profile(profile)
    bare = bytes(builder.build_serialized_network(network, config))
    error = load_file(tmp_path, bare)
    assert error.key == "plan_without_onnx"
    assert "is a sound TensorRT-RTX plan, but the reference lane has no ONNX graph" in str(error)
    assert load_file(tmp_path, bare[:-10]).key == "plan_damaged"


@reference_only
def test_plan_of_another_format(adder_plan, tmp_path, monkeypatch):
    from trt_helpers.reference import plan

    monkeypatch.setattr(plan, "FORMAT", 99)
    error = load_file(tmp_path, bytes(adder_plan))
    assert error.key == "plan_version" and "format 1, this one reads 99" in str(error)


def test_runtime_that_gives_none_without_a_word(monkeypatch, tmp_path):
    class Silent:
        def __init__(self, _):
            pass

        def deserialize_cuda_engine(self, _):
            return None

    monkeypatch.setattr(trt, "Runtime", Silent)
    error = load_file(tmp_path, b"vtrt" + bytes(100))
    assert error.key == "plan_refused" and "deserialize_cuda_engine returned None" in str(error)


def test_a_refused_plan_in_memory_is_called_the_plan():
    assert str(refusal(th.load_engine, b"")).startswith("The plan is empty.")


def test_after_refusals_a_good_plan_loads(adder_plan, tmp_path):
    for content in (b"", b"abc", b"text" * 100, bytes(adder_plan)[:-5]):
        load_file(tmp_path, content)
    assert works(adder_plan)


def test_engine_keeps_what_it_needs_alive(adder_plan):
    context = th.load_engine(bytes(adder_plan)).create_execution_context()
    x = torch.ones(1, 4, device=th.device)
    assert th.infer(context, {"x": x, "w": x})["y"].tolist() == [[3.0] * 4]


# ---- ONNX files as they come ------------------------------------------------------------------------------------


def relu(opset: int | None = None, ir: int | None = None) -> onnx.ModelProto:
    """y = Relu(x) as ``onnx.helper.make_model`` writes it, with the newest versions unless told otherwise."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    versions = {} if opset is None else {"opset_imports": [onnx.helper.make_opsetid("", opset)]}
    return onnx.helper.make_model(graph, **versions, **({} if ir is None else {"ir_version": ir}))


NEWEST = onnx.defs.onnx_opset_version()


@pytest.mark.parametrize("opset", [None, *range(1, NEWEST + 1)])
def test_any_opset_and_the_newest_ir_version(opset):
    engine = th.load_engine(th.build_plan(relu(opset), th.Profile(x=((1, 4), (2, 4), (8, 4)))))
    x = torch.randn(3, 4, device=th.device)
    assert torch.equal(th.infer(engine.create_execution_context(), {"x": x})["y"], x.relu())


@pytest.mark.parametrize("ir", range(3, onnx.IR_VERSION + 1))
def test_any_ir_version(ir):
    assert th.load_engine(th.build_plan(relu(17, ir), th.Profile(x=((1, 4), (2, 4), (8, 4))))) is not None


def crashing(*places: str) -> onnx.ModelProto:
    """A model with a node that computes nothing: in the graph, in a branch of an If, or in a function."""
    model, nothing = relu(17, 8), onnx.helper.make_node("Relu", [], [])
    if "graph" in places:
        model.graph.node.append(nothing)
    if "no output" in places:
        model.graph.node.append(onnx.helper.make_node("Relu", ["x"], []))
    if "branch" in places:
        value = onnx.helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, None)
        branch = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["o"]), nothing], "b", [], [value])
        model.graph.input.append(onnx.helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, []))
        model.graph.node.append(onnx.helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch))
    if "function" in places:
        opsets = [onnx.helper.make_opsetid("", 17)]
        model.functions.append(onnx.helper.make_function("f", "F", [], [], [nothing], opsets))
    return model


@pytest.mark.parametrize("place", ["graph", "no output", "branch", "function"])
@pytest.mark.parametrize("form", ["model", "bytes", "file"])
def test_what_would_crash_the_parser_is_refused_before(place, form, tmp_path):
    model = crashing(place)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    given = {"model": model, "bytes": model.SerializeToString(), "file": tmp_path / "m.onnx"}[form]
    with pytest.raises(TensorRTError, match="of type Relu has no output") as caught:
        th.build_plan(given, th.Profile(x=((1, 4), (2, 4), (8, 4))))
    assert caught.value.key == "onnx_unreadable"


def test_nothing_is_written_into_the_working_folder(tmp_path, monkeypatch):
    """ONNX Runtime's shape inference leaves a file there for an operator that it does not know, over the user's."""
    monkeypatch.chdir(tmp_path)
    users = tmp_path / "sym_shape_infer_temp.onnx"
    users.write_text("mine")
    model = relu(18, 8)
    model.graph.node[0].op_type = "Mish"
    th.build_plan(model, th.Profile(x=((1, 4), (2, 4), (8, 4))))
    assert users.read_text() == "mine" and list(tmp_path.iterdir()) == [users]
