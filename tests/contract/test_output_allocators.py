"""Output allocators, and outputs whose size depends on the data (rules 15 to 71)."""

import pytest
import torch

from tests.contract.support import Allocator, bind, execute, nonzero_engine, ready_relu, tensor
from trt_helpers import Stream, trt


def relu_with(allocator):
    ctx, x, y = ready_relu()
    assert ctx.set_tensor_address("y", 0) and ctx.set_output_allocator("y", allocator) is True
    return ctx, x, y


def test_rule_70_asked_and_told_at_every_enqueue_before_it_returns():
    allocator = Allocator()
    ctx, x, _ = relu_with(allocator)
    assert ctx.get_output_allocator("y") is allocator
    for count in (1, 2, 3):
        stream = Stream()
        assert ctx.execute_async_v3(stream.handle)
        assert len(allocator.asked) == len(allocator.told) == count
        name, current, size, alignment, handle = allocator.asked[-1]
        assert (name, current, handle) == ("y", 0, stream.handle)
        assert size >= x.numel() * 4 and alignment >= 1
        stream.synchronize()
        assert torch.equal(allocator.result(torch.float32), x.relu().cpu())


def test_rule_70_the_address_is_the_first_offer():
    ctx, x, y = ready_relu()
    allocator = Allocator(gives=y.data_ptr())
    assert ctx.set_output_allocator("y", allocator)
    execute(ctx)
    assert allocator.asked[0][1] == y.data_ptr() and (y == x.relu()).all()


@pytest.mark.parametrize("gives", [None, 0, "error"])
def test_rule_70_no_memory_means_no_execution(gives, log):
    allocator = Allocator(gives=gives)
    ctx, _, _ = relu_with(allocator)
    assert ctx.execute_async_v3(Stream().handle) is False
    assert len(allocator.asked) == 1 and allocator.told == [] and log.errors


def test_rule_70_none_removes_the_allocator(log):
    ctx, _, _ = relu_with(Allocator())
    assert ctx.set_output_allocator("y", None) is True and ctx.get_output_allocator("y") is None
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("Neither address or allocator is set for output tensor y")


def test_rule_70_execute_v2_asks_too():
    allocator = Allocator()
    ctx, x, _ = relu_with(allocator)
    assert ctx.execute_v2([x.data_ptr(), 0]) is True
    assert torch.equal(allocator.result(torch.float32), x.relu().cpu())


def test_rule_70_the_older_form_is_still_used():
    class Older(trt.IOutputAllocator):
        def __init__(self):
            trt.IOutputAllocator.__init__(self)

        def reallocate_output(self, tensor_name, memory, size, alignment):
            self.size = size
            return y.data_ptr()

        def notify_shape(self, tensor_name, shape):
            self.shape = tuple(shape)

    older = Older()
    ctx, x, y = relu_with(older)
    y = tensor(64, fill=-999)
    execute(ctx)
    assert older.shape == (2, 4) and (y[:8].reshape(2, 4) == x.relu()).all()


def data_dependent():
    made = nonzero_engine()
    if made is None:
        pytest.skip("TensorRT-RTX has no data-dependent shapes")
    ctx = made.create_execution_context()
    x = tensor(3, 4, fill=0)
    x[0, 0] = x[1, 2] = x[2, 3] = 1
    assert ctx.set_input_shape("x", (3, 4))
    bind(ctx, x=x)
    return ctx, x


def test_rule_71_only_an_allocator_learns_the_size(log):
    ctx, x = data_dependent()
    allocator = Allocator()
    assert ctx.infer_shapes() == [] and ctx.get_tensor_shape("y") == (2, -1)
    assert ctx.set_output_allocator("y", allocator)
    execute(ctx)
    assert allocator.told == [("y", (2, 3))]
    assert torch.equal(allocator.result(torch.int64), torch.tensor([[0, 1, 2], [0, 2, 3]]))


def test_rule_15_the_size_stays_unknown_even_afterwards():
    ctx, _ = data_dependent()
    assert ctx.set_output_allocator("y", Allocator())
    execute(ctx)
    assert ctx.get_tensor_shape("y") == (2, -1)


def test_rule_71_a_different_size_each_time():
    ctx, x = data_dependent()
    allocator = Allocator()
    assert ctx.set_output_allocator("y", allocator)
    for rows in (0, 1, 3):
        x.fill_(0)
        x[:rows] = 1
        execute(ctx)
        assert allocator.told[-1] == ("y", (2, 4 * rows))
        assert torch.equal(allocator.result(torch.int64), x.cpu().nonzero().T)


def test_rule_71_no_memory_fails_gracefully(log):
    ctx, _ = data_dependent()
    assert ctx.set_output_allocator("y", Allocator(gives=None))
    assert ctx.execute_async_v3(Stream().handle) is False
    allocator = Allocator()
    assert ctx.set_output_allocator("y", allocator)
    execute(ctx)
    assert allocator.told == [("y", (2, 3))]


def test_rule_70_the_upper_bound_is_enough():
    ctx, x = data_dependent()
    allocator = Allocator()
    assert ctx.set_output_allocator("y", allocator)
    x.fill_(1)
    execute(ctx)
    assert ctx.get_max_output_size("y") >= 2 * 12 * 8 and allocator.told == [("y", (2, 12))]
