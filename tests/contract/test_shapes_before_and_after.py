"""Shapes before and after they are set (rules 12 to 23)."""

import pytest
import torch

from tests.contract.support import (
    FIXED,
    JOINED,
    MIXED,
    RELU,
    RESHAPE,
    RESHAPE_PROFILE,
    RESHAPE_VALUES,
    SHARED,
    SMALL,
    STACKED,
    context,
    engine,
    is_invalid,
    reshape_context,
)
from trt_helpers import trt

ROWS = ((1, 4), (2, 4), (8, 4))


def test_rule_12_the_engine_shape_never_changes():
    ctx = context(RELU, SMALL)
    assert ctx.set_input_shape("x", (3, 4))
    assert ctx.engine.get_tensor_shape("x") == (-1, 4) and ctx.engine.get_tensor_shape("y") == (-1, 4)


def test_rule_13_a_dimension_is_unknown_until_set():
    ctx = context(RELU, SMALL)
    assert ctx.get_tensor_shape("x") == (-1, 4)
    assert ctx.set_input_shape("x", (3, 4))
    assert ctx.get_tensor_shape("x") == (3, 4)


def test_rule_13_min_equal_to_max_leaves_no_choice():
    both = "both (float[N,M] x) => (float[N,M] y) { y = Relu(x) }"
    ctx = context(both, {"x": ((1, 16), (4, 16), (8, 16))})
    assert ctx.engine.get_tensor_shape("x") == (-1, -1)
    assert ctx.get_tensor_shape("x") == (-1, 16) and ctx.get_tensor_shape("y") == (-1, 16)


def test_rule_14_outputs_are_known_once_their_inputs_are():
    ctx = context(MIXED, {"x": ROWS})
    assert ctx.get_tensor_shape("y") == (-1, 2) and ctx.get_tensor_shape("z") == (2, 4)
    assert ctx.set_input_shape("x", (5, 4))
    assert ctx.get_tensor_shape("y") == (5, 2)


def test_rule_14_a_computed_dimension():
    ctx = context(STACKED, {"a": ROWS, "b": ROWS})
    assert ctx.set_input_shape("a", (2, 4)) and ctx.get_tensor_shape("c") == (-1, 4)
    assert ctx.set_input_shape("b", (5, 4)) and ctx.get_tensor_shape("c") == (7, 4)


def test_rule_14_a_dimension_that_no_unset_input_takes_part_in():
    product = "product (float[N,4] a, float[4,M] b) => (float[N,M] c) { c = MatMul(a, b) }"
    ctx = context(product, {"a": ROWS, "b": ((4, 1), (4, 2), (4, 8))})
    assert ctx.set_input_shape("a", (3, 4)) and ctx.get_tensor_shape("c") == (3, -1)
    shared = context(SHARED, {"a": ROWS, "b": ROWS})
    assert shared.set_input_shape("a", (3, 4)) and shared.get_tensor_shape("c") == (-1, 4)


def test_rule_16_inputs_that_contradict_each_other(log):
    ctx = context(JOINED, {"a": ROWS, "b": ROWS})
    assert ctx.set_input_shape("a", (2, 4)) and ctx.set_input_shape("b", (3, 4))
    shape = ctx.get_tensor_shape("c")
    assert is_invalid(shape) or -1 in shape
    assert any("Error Code 7: Internal Error" in text for text in log.errors)


def test_rule_16_inputs_that_share_a_dimension_name(log):
    ctx = context(SHARED, {"a": ROWS, "b": ROWS})
    assert ctx.set_input_shape("a", (2, 4)) and ctx.set_input_shape("b", (3, 4))
    shape = ctx.get_tensor_shape("c")
    assert is_invalid(shape) or -1 in shape
    assert any("Condition '==' violated: 2 != 3" in text for text in log.errors)


def test_rule_17_a_static_input_accepts_its_own_shape_only(log):
    ctx = context(FIXED)
    assert ctx.set_input_shape("x", (2, 4)) is True and log.errors == []
    assert ctx.set_input_shape("x", (3, 4)) is False
    log.refused("Static dimension mismatch while setting input shape for x", "Set dimensions are [3,4]")
    assert context(FIXED).infer_shapes() == []


def test_rule_18_shapes_and_addresses_are_apart():
    ctx = context(RELU, SMALL)
    assert ctx.set_tensor_address("x", 4096) and ctx.set_input_shape("x", (3, 4))
    assert ctx.get_tensor_address("x") == 4096
    assert ctx.set_tensor_address("x", 8192) and ctx.get_tensor_shape("x") == (3, 4)


def test_rule_18_strides_count_elements():
    cube = "cube (float[N,4,5] x) => (float[N,4,5] y) { y = Relu(x) }"
    ctx = context(cube, {"x": ((1, 4, 5), (2, 4, 5), (8, 4, 5))})
    assert is_invalid(ctx.get_tensor_strides("x"))
    assert ctx.set_input_shape("x", (3, 4, 5))
    assert ctx.get_tensor_strides("x") == (20, 5, 1) and ctx.get_tensor_strides("y") == (20, 5, 1)


def test_rule_19_infer_shapes_names_the_unset_inputs_in_order():
    ctx = context(STACKED, {"a": ROWS, "b": ROWS})
    assert ctx.infer_shapes() == ["a", "b"]
    assert ctx.set_input_shape("b", (2, 4)) and ctx.infer_shapes() == ["a"]
    assert ctx.set_input_shape("a", (2, 4)) and ctx.infer_shapes() == []


def test_rule_20_a_shape_input_is_listed_until_its_address_is_set():
    ctx = reshape_context()
    assert ctx.engine.is_shape_inference_io("s") and ctx.engine.get_tensor_location("s") == trt.TensorLocation.HOST
    assert ctx.engine.get_tensor_location("x") == trt.TensorLocation.DEVICE
    assert ctx.set_input_shape("x", (3, 4)) and ctx.infer_shapes() == ["s"]
    value = torch.tensor([2, 6])
    assert ctx.set_tensor_address("s", value.data_ptr()) and ctx.infer_shapes() == []
    assert ctx.get_tensor_shape("y") == (2, 6)


def test_rule_20_the_values_of_a_profile():
    made = engine(RESHAPE, RESHAPE_PROFILE, values=RESHAPE_VALUES)
    assert made.get_tensor_profile_values(0, "s") == [[1, 1], [2, 4], [32, 32]]


def test_rule_21_infer_shapes_raises_what_every_single_shape_passed(log):
    ctx = context(SHARED, {"a": ROWS, "b": ROWS})
    assert ctx.set_input_shape("a", (2, 4)) is True and ctx.set_input_shape("b", (3, 4)) is True
    with pytest.raises(RuntimeError, match="^infer_shapes error code: -1$"):
        ctx.infer_shapes()
    assert any("IExecutionContext::inferShapes: Error Code 7: Internal Error" in text for text in log.errors)


def test_rule_21_an_impossible_reshape(log):
    ctx, value = reshape_context(), torch.tensor([5, 2])
    assert ctx.set_input_shape("x", (3, 4)) and ctx.set_tensor_address("s", value.data_ptr())
    with pytest.raises(RuntimeError, match="^infer_shapes error code: -1$"):
        ctx.infer_shapes()
    assert any("reshape would change volume 12 to 10" in text for text in log.errors)


def test_rule_23_all_binding_shapes_specified():
    ctx = context(RELU, SMALL)
    assert context(FIXED).all_binding_shapes_specified is True
    assert ctx.set_input_shape("x", (3, 4)) and ctx.all_binding_shapes_specified is True


def test_max_output_size_is_rounded_up():
    ctx = context(RELU, SMALL)
    assert ctx.get_max_output_size("y") == -1 and ctx.get_max_output_size("x") == -1
    assert ctx.set_input_shape("x", (8, 4))
    assert ctx.get_max_output_size("y") >= 8 * 4 * 4 and ctx.get_max_output_size("y") % 256 == 0
