"""Addresses (rules 44 to 53)."""

import torch

from tests.contract.support import RELU, SMALL, bind, context, execute, held, ready_relu, reshape_context, tensor
from trt_helpers import Stream


def test_rule_44_addresses_start_at_0_and_0_resets(log):
    ctx = context(RELU, SMALL)
    assert ctx.get_tensor_address("x") == ctx.get_tensor_address("y") == 0
    assert ctx.set_tensor_address("x", 4096) is True and ctx.get_tensor_address("x") == 4096
    assert ctx.set_tensor_address("x", 0) is True and ctx.get_tensor_address("x") == 0
    assert log.errors == []


def test_rule_45_unknown_name(log):
    assert context(RELU, SMALL).set_tensor_address("no", 4096) is False
    log.refused("IExecutionContext::setTensorAddress: Error Code 3", "iven invalid tensor name")


def test_rule_49_shape_values_are_read_at_enqueue():
    ctx, value, x, y = reshape_context(), torch.tensor([2, 6]), tensor(3, 4), tensor(12, fill=-999)
    assert ctx.set_input_shape("x", (3, 4))
    assert ctx.set_tensor_address("s", value.data_ptr())
    bind(ctx, x=x, y=y)
    assert ctx.get_tensor_shape("y") == (2, 6)
    value[0], value[1] = 6, 2
    assert ctx.infer_shapes() == [] and ctx.get_tensor_shape("y") == (6, 2)
    stream = Stream()
    assert ctx.execute_async_v3(stream.handle)  # once before it is held: nothing has to be loaded then
    stream.synchronize()
    y.fill_(-999)
    with held(stream):
        assert ctx.execute_async_v3(stream.handle)
        value[0], value[1] = 1, 1  # too late: it was read
    stream.synchronize()
    assert (y == x.flatten()).all()


def test_rule_50_addresses_are_checked_at_enqueue_only(log):
    ctx = context(RELU, SMALL)
    assert ctx.set_input_shape("x", (2, 4)) and ctx.infer_shapes() == []
    assert log.errors == []
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("Address is not set for input tensor x")


def test_rule_52_the_dtype_is_not_checked(log):
    """Eight float64 numbers are read as the first four of sixteen float32: wrong numbers and no complaint."""
    ctx, _, y = ready_relu(2)
    wrong = tensor(2, 4, dtype=torch.float64)
    bind(ctx, x=wrong)
    execute(ctx)
    assert log.errors == []
    assert torch.equal(y, wrong.view(torch.float32).flatten()[:8].reshape(2, 4).relu())


def test_rule_53_addresses_persist():
    ctx, x, y = ready_relu(2)
    for step in range(3):
        x.fill_(step)
        y.fill_(-999)
        execute(ctx)
        assert (y == step).all()
    assert ctx.get_tensor_address("x") == x.data_ptr()
