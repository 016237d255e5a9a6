"""The memory that a context works in (rules 72 to 76)."""

import torch

from tests.contract.support import LARGE, RELU, SMALL, bind, engine, execute, tensor
from trt_helpers import Stream, device, trt

Strategy = trt.ExecutionContextAllocationStrategy


def user_managed():
    ctx = engine(RELU, SMALL).create_execution_context(Strategy.USER_MANAGED)
    x, y = tensor(2, 4), tensor(2, 4, fill=-999)
    assert ctx.set_input_shape("x", (2, 4))
    bind(ctx, x=x, y=y)
    return ctx, x, y


def aligned(size: int) -> tuple[torch.Tensor, int]:
    """Memory, and an address in it that is a multiple of 512."""
    memory = torch.empty(size + 512, dtype=torch.uint8, device=device)
    return memory, -(-memory.data_ptr() // 512) * 512


def test_rule_72_the_three_strategies():
    made = engine(RELU, SMALL)
    for strategy in (Strategy.STATIC, Strategy.ON_PROFILE_CHANGE, Strategy.USER_MANAGED):
        assert made.create_execution_context(strategy) is not None
        assert made.create_execution_context(strategy=strategy).get_runtime_config() is None


def test_rule_72_a_runtime_config_says_the_same():
    made = engine(RELU, SMALL)
    config = made.create_runtime_config()
    assert config.get_execution_context_allocation_strategy() == Strategy.STATIC
    config.set_execution_context_allocation_strategy(Strategy.ON_PROFILE_CHANGE)
    ctx = made.create_execution_context(config)
    assert ctx.get_runtime_config() is not None


def test_rule_72_user_managed_memory():
    ctx, x, y = user_managed()
    memory, start = aligned(ctx.engine.device_memory_size_v2)
    assert ctx.set_device_memory(start, ctx.engine.device_memory_size_v2) is None
    execute(ctx)
    assert (y == x.relu()).all() and memory is not None


def test_rule_73_misaligned_memory_is_logged(log):
    ctx, _, _ = user_managed()
    _, start = aligned(ctx.engine.device_memory_size_v2)
    assert ctx.set_device_memory(start + 8, ctx.engine.device_memory_size_v2) is None
    log.refused("IExecutionContext::setDeviceMemory: Error Code 3", "memory must be aligned on 512 byte boundary")


def test_rule_74_how_much_memory():
    made = engine(RELU, SMALL, LARGE)
    overall = made.device_memory_size_v2
    sizes = [made.get_device_memory_size_for_profile_v2(k) for k in range(2)]
    assert all(0 <= size <= overall for size in sizes)
    ctx = made.create_execution_context(Strategy.USER_MANAGED)
    assert ctx.set_input_shape("x", (2, 4))
    assert 0 <= ctx.update_device_memory_size_for_shapes() <= overall


def test_rule_76_without_memory_nothing_runs(log):
    ctx, _, y = user_managed()
    if ctx.engine.device_memory_size_v2 == 0:  # a GPU may need none for so small a graph
        return
    assert ctx.execute_async_v3(Stream().handle) is False and log.errors
    assert (y == -999).all()
