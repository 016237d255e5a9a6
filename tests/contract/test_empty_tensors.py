"""Tensors without elements (rules 66 to 69)."""

import pytest
import torch

from tests.contract.support import RELU, SMALL, STACKED, TOTAL, Allocator, bind, context, execute, tensor
from trt_helpers import Stream, device, lane

EMPTY = {"x": ((0, 4), (2, 4), (8, 4))}
EMPTY_ROWS = ((0, 4), (2, 4), (8, 4))


def test_rule_66_zero_needs_a_profile_with_zero(log):
    assert context(RELU, SMALL).set_input_shape("x", (0, 4)) is False
    log.refused("Set dimension [0,4] for tensor x does not satisfy any optimization profiles")
    ctx = context(RELU, EMPTY)
    assert ctx.set_input_shape("x", (0, 4)) is True and ctx.get_tensor_shape("y") == (0, 4)


def test_rule_67_the_sum_of_nothing_is_zero():
    if lane.name == "reference" and device.type == "cuda":
        pytest.skip("ONNX Runtime's CUDA provider writes nothing for a sum over nothing")
    ctx, x, y = context(TOTAL, EMPTY), tensor(0, 4), tensor(4, fill=-999)
    assert ctx.set_input_shape("x", (0, 4)) and ctx.get_tensor_shape("y") == (4,)
    bind(ctx, x=x, y=y)
    execute(ctx)
    assert (y == 0).all()


def test_rule_67_concatenation_with_nothing():
    ctx, b, c = context(STACKED, {"a": EMPTY_ROWS, "b": EMPTY_ROWS}), tensor(3, 4), tensor(3, 4, fill=-999)
    assert ctx.set_input_shape("a", (0, 4)) and ctx.set_input_shape("b", (3, 4))
    assert ctx.get_tensor_shape("c") == (3, 4)
    bind(ctx, a=tensor(0, 4), b=b, c=c)
    execute(ctx)
    assert torch.equal(b, c)


def test_rule_67_an_empty_output():
    ctx = context(RELU, EMPTY)
    assert ctx.set_input_shape("x", (0, 4))
    bind(ctx, x=tensor(0, 4), y=tensor(0, 4))
    execute(ctx)


def test_rule_68_an_empty_tensor_has_no_address(log):
    ctx, y = context(RELU, EMPTY), tensor(2, 4, fill=-999)
    assert tensor(0, 4).data_ptr() == 0
    assert ctx.set_input_shape("x", (0, 4)) and ctx.set_tensor_address("x", tensor(0, 4).data_ptr())
    bind(ctx, y=y)
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("Address is not set for input tensor x")


def test_rule_68_execute_v2_takes_null_for_an_empty_input():
    ctx, b, c = context(STACKED, {"a": EMPTY_ROWS, "b": EMPTY_ROWS}), tensor(3, 4), tensor(3, 4, fill=-999)
    assert ctx.set_input_shape("a", (0, 4)) and ctx.set_input_shape("b", (3, 4))
    assert ctx.execute_v2([0, b.data_ptr(), c.data_ptr()]) is True
    assert torch.equal(b, c)


def test_rule_69_allocators_are_asked_for_some_memory():
    ctx, allocator = context(RELU, EMPTY), Allocator()
    assert ctx.set_input_shape("x", (0, 4))
    bind(ctx, x=tensor(0, 4))
    assert ctx.set_output_allocator("y", allocator)
    execute(ctx)
    assert allocator.asked[0][2] > 0 and allocator.told == [("y", (0, 4))]
