"""Names and what the engine says about its tensors (rules 6 to 11)."""

import pytest

from tests.contract.support import FIXED, LARGE, MIXED, RELU, SMALL, context, engine, is_invalid
from trt_helpers import trt

MIXED_PROFILE = {"x": ((1, 4), (2, 4), (8, 4))}


def test_rule_6_inputs_before_outputs_in_network_order():
    made = engine(MIXED, MIXED_PROFILE)
    assert [made.get_tensor_name(i) for i in range(made.num_io_tensors)] == ["x", "w", "y", "z"]
    assert [*made] == ["x", "w", "y", "z"] and made[0] == "x" and made[-1] == "z"
    modes = [made.get_tensor_mode(name).name for name in made]
    assert modes == ["INPUT", "INPUT", "OUTPUT", "OUTPUT"]


def test_rule_6_names_are_case_sensitive(log):
    assert engine(RELU, SMALL).get_tensor_mode("X") == trt.TensorIOMode.NONE


def test_rule_6_an_index_out_of_range(log):
    made = engine(RELU, SMALL)
    for index in (2, -1):
        assert made.get_tensor_name(index) is None
        log.refused("getIOTensorName")
    with pytest.raises(IndexError, match="Out of bounds"):
        made[2]
    assert made[-9] is None


def test_rule_7_the_number_of_tensors_does_not_depend_on_profiles():
    made = engine(RELU, SMALL, LARGE)
    assert made.num_optimization_profiles == 2 and made.num_io_tensors == 2


def test_rule_8_unknown_names_give_neutral_values(log):
    made = engine(RELU, SMALL)
    ctx = made.create_execution_context()
    for call, neutral in (
        (lambda: made.get_tensor_mode("no"), trt.TensorIOMode.NONE),
        (lambda: made.get_tensor_dtype("no"), trt.DataType.FLOAT),
        (lambda: made.get_tensor_location("no"), trt.TensorLocation.DEVICE),
        (lambda: made.get_tensor_format("no"), trt.TensorFormat.LINEAR),
        (lambda: made.get_tensor_format_desc("no"), ""),
        (lambda: made.get_tensor_bytes_per_component("no"), -1),
        (lambda: made.get_tensor_components_per_element("no"), -1),
        (lambda: made.get_tensor_vectorized_dim("no"), -1),
        (lambda: made.is_shape_inference_io("no"), False),
        (lambda: ctx.get_tensor_address("no"), 0),
        (lambda: ctx.get_max_output_size("no"), -1),
        (lambda: ctx.get_output_allocator("no"), None),
    ):
        assert call() == neutral
        log.refused("iven invalid tensor name")
    for call in (made.get_tensor_shape, ctx.get_tensor_shape, ctx.get_tensor_strides):
        assert is_invalid(call("no"))
        log.refused("iven invalid tensor name")


def test_rule_8_invalid_dims():
    dims = engine(RELU, SMALL).get_tensor_shape("no")
    for broken in (len, tuple, list):
        with pytest.raises(ValueError, match=r"__len__\(\) should return >= 0"):
            broken(dims)
    with pytest.raises(IndexError, match="Out of bounds"):
        dims[0]
    assert not dims == (1, 4)


def test_dims_of_known_tensors():
    dims = engine(RELU, SMALL).get_tensor_shape("x")
    assert dims == (-1, 4) and dims == [-1, 4] and -1 in dims and len(dims) == 2 and dims[1:] == (4,)
    with pytest.raises(TypeError):
        dims == engine(RELU, SMALL).get_tensor_shape("x")  # noqa: B015
    with pytest.raises(TypeError):
        hash(dims)


def test_rule_9_only_inputs_have_shapes_and_only_outputs_allocators(log):
    ctx = context(RELU, SMALL)
    assert ctx.set_input_shape("y", (2, 4)) is False
    log.refused("setInputShape")
    assert ctx.set_input_shape("no", (2, 4)) is False
    log.refused("setInputShape")
    assert ctx.set_output_allocator("x", None) is False
    log.refused("setOutputAllocator")


def test_rule_10_profile_shapes_of_what_has_none_are_invalid(log):
    made = engine(RELU, SMALL)
    for name, index in (("y", 0), ("no", 0), ("x", 1), ("x", -1)):
        three = made.get_tensor_profile_shape(name, index)
        assert len(three) == 3 and all(is_invalid(dims) for dims in three)


def test_rule_10_profile_shapes_of_inputs():
    made = engine(RELU, SMALL, LARGE)
    assert [tuple(d) for d in made.get_tensor_profile_shape("x", 1)] == [(8, 4), (16, 4), (32, 4)]


def test_rule_11_format_queries_answer_for_profile_0(log):
    made = engine(RELU, SMALL, LARGE)
    assert made.get_tensor_format("x") == trt.TensorFormat.LINEAR
    assert any("only returns results for profile 0" in text for text in log.warnings)
    log.forget()
    assert made.get_tensor_format("x", 1) == trt.TensorFormat.LINEAR and log.warnings == []


def test_linear_tensors():
    made = engine(FIXED)
    assert made.get_tensor_format_desc("x") == "Row major linear FP32 format (kLINEAR)"
    assert made.get_tensor_bytes_per_component("x") == made.get_tensor_vectorized_dim("x") == -1
    assert made.get_tensor_components_per_element("x") == -1
    assert made.get_tensor_dtype("x") == trt.DataType.FLOAT
    assert made.is_debug_tensor("x") is False


def test_engine_members_of_a_plain_engine():
    made = engine(FIXED)
    assert made.num_optimization_profiles == 1 and made.num_layers >= 1
    assert (made.refittable, made.streamable_weights_size) == (False, 0)
    assert made.get_engine_stat(trt.EngineStat.STRIPPED_WEIGHTS_SIZE) == -1
    assert made.get_engine_stat() >= 0 and made.num_aux_streams >= 0
    assert made.get_aliased_input_tensor("y") is None
    assert made.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_the_copy_of_a_plan_does_not_need_the_plan(size):
    copies = pytest.importorskip("trt_helpers.reference.plan_copy", reason="the reference lane's own")
    data = bytearray(range(100)) * (size // 100)
    copy, expected = copies.PlanCopy(memoryview(data)), bytes(data)
    data[:] = bytes(len(data))
    assert copy.read() == copy.read() == expected


def test_serialize_gives_a_plan_that_loads():
    from trt_helpers import logger

    made = engine(FIXED)
    for again in (made.serialize(), made.serialize_with_config(made.create_serialization_config())):
        assert trt.Runtime(logger).deserialize_cuda_engine(again).num_io_tensors == 2
