"""Each lane has its own way to a plan whose output sizes depend on the data."""

from types import SimpleNamespace

import pytest

import trt_helpers as th
from trt_helpers import course
from trt_helpers.course import data_dependent

from .conftest import parse

FIND = parse("find (float[rows, columns] x) => (int64[2, found] places) { places = NonZero(x) }")
PROFILE = th.Profile(x=((1, 3), (2, 3), (8, 3)))


@pytest.fixture
def lane(monkeypatch):
    """Pretend to be in another lane."""
    return lambda name: monkeypatch.setattr(data_dependent, "lane", SimpleNamespace(name=name))


@pytest.mark.skipif(th.lane.name != "reference", reason="made from ONNX alone in the lane reference only")
def test_reference_makes_it_from_onnx_alone_and_says_so(capsys):
    engine = th.load_engine(course.data_dependent_plan(FIND, PROFILE))
    assert "[W] The plan of 'find' is made from ONNX alone" in capsys.readouterr().out
    context = engine.create_execution_context()
    context.set_input_shape("x", (2, 3))
    assert context.infer_shapes() == []
    assert tuple(context.get_tensor_shape("places")) == (2, -1)


def test_tensorrt_builds_it_like_any_other(lane, monkeypatch):
    monkeypatch.setattr(data_dependent, "build_plan", lambda model, profile: ("plan", model, profile))
    lane("tensorrt")
    assert course.data_dependent_plan(FIND, PROFILE) == ("plan", FIND, PROFILE)


def test_tensorrt_rtx_explains_and_skips(lane, capsys):
    lane("tensorrt_rtx")
    assert course.data_dependent_plan(FIND, PROFILE) is None
    said = capsys.readouterr().out
    assert said == "Skipped: TensorRT-RTX has no output shapes that depend on the data. TensorRT has.\n"


@pytest.mark.skipif(th.lane.name == "tensorrt", reason="TensorRT builds it")
def test_the_builder_of_this_lane_refuses_such_graphs():
    with pytest.raises(th.TensorRTError, match="NonZero"):
        th.build_plan(FIND, PROFILE)
