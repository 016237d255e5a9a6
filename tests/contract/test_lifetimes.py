"""Who keeps whom alive (rules 77 to 79)."""

import gc
import weakref

from tests.contract.support import (
    RELU,
    SMALL,
    Allocator,
    bind,
    collect,
    context,
    engine,
    execute,
    plan,
    ready_relu,
    tensor,
)
from trt_helpers import Event, logger, trt


def test_rule_77_a_context_keeps_engine_and_runtime():
    runtime = trt.Runtime(logger)
    made = runtime.deserialize_cuda_engine(plan(RELU, SMALL))
    ctx = made.create_execution_context()
    del runtime, made
    collect()
    x, y = tensor(2, 4), tensor(2, 4, fill=-999)
    assert ctx.set_input_shape("x", (2, 4))
    bind(ctx, x=x, y=y)
    execute(ctx)
    assert (y == x.relu()).all() and ctx.engine.num_io_tensors == 2


def test_rule_77_a_context_keeps_its_allocator():
    ctx, _, _ = ready_relu()
    allocator = Allocator()
    there = weakref.ref(allocator)
    assert ctx.set_output_allocator("y", allocator)
    del allocator
    collect()
    assert there() is not None
    execute(ctx)
    assert there().told == [("y", (2, 4))]


def test_rule_78_addresses_keep_nothing():
    ctx, x = context(RELU, SMALL), tensor(2, 4)
    there = weakref.ref(x)
    assert ctx.set_tensor_address("x", x.data_ptr())
    del x
    gc.collect()
    assert there() is None and ctx.get_tensor_address("x") != 0


def test_rule_78_events_are_not_kept():
    ctx, _, _ = ready_relu()
    event = Event()
    there = weakref.ref(event)
    assert ctx.set_input_consumed_event(event.handle)
    del event
    gc.collect()
    assert there() is None


def test_rule_78_the_plan_may_go_after_deserialisation():
    data = bytearray(memoryview(plan(RELU, SMALL)))
    made = trt.Runtime(logger).deserialize_cuda_engine(data)
    data[:] = bytes(len(data))
    ctx, x, y = made.create_execution_context(), tensor(2, 4), tensor(2, 4, fill=-999)
    assert ctx.set_input_shape("x", (2, 4))
    bind(ctx, x=x, y=y)
    execute(ctx)
    assert (y == x.relu()).all()


def test_rule_79_each_context_has_its_own_state():
    made = engine(RELU, SMALL)
    one, two = made.create_execution_context(), made.create_execution_context()
    assert one.set_input_shape("x", (2, 4)) and one.set_tensor_address("x", 4096)
    assert one.set_output_allocator("y", Allocator())
    assert two.get_tensor_shape("x") == (-1, 4) and two.get_tensor_address("x") == 0
    assert two.get_output_allocator("y") is None
