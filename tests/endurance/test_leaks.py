"""Ten thousand executions, and objects that come and go: memory and threads stay where they were."""

import gc
import threading
import time

import psutil
import pytest
import torch

from tests.contract.support import LOOKUP, RELU, SMALL, Allocator, bind, engine, nonzero_engine, plan, tensor
from trt_helpers import Event, Pipeline, Stream, device, lane, logger, trt

pytestmark = pytest.mark.slow

GROWTH = 1.05


def resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def tensors_alive() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def stays_flat(work, rounds: int, warm_up: int) -> None:
    """``work(step)`` many times: RSS within 5 %, as many threads as before."""
    for step in range(warm_up):
        work(step)
    memory, threads = resident(), threading.active_count()
    for step in range(rounds):
        work(step)
    assert resident() <= memory * GROWTH, f"{memory >> 20} MiB became {resident() >> 20} MiB"
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)  # the worker of a stream that is gone ends a moment later
    assert threading.active_count() <= threads


def test_ten_thousand_executions():
    ctx, stream, event = engine(RELU, SMALL).create_execution_context(), Stream(), Event()
    buffers = {rows: (tensor(rows, 4), tensor(rows, 4, fill=-999)) for rows in range(1, 9)}
    assert ctx.set_input_consumed_event(event.handle)

    def work(step: int) -> None:
        rows = step % 8 + 1
        assert ctx.set_input_shape("x", (rows, 4))
        bind(ctx, x=buffers[rows][0], y=buffers[rows][1])
        assert ctx.execute_async_v3(stream.handle)
        if step % 100 == 0:
            stream.synchronize()

    stays_flat(work, rounds=10_000, warm_up=1000)
    stream.synchronize()
    assert all(torch.equal(y, x.relu()) for x, y in buffers.values())


def test_streams_contexts_and_engines_come_and_go():
    data = plan(RELU, SMALL)

    def work(_: int) -> None:
        ctx, stream = trt.Runtime(logger).deserialize_cuda_engine(data).create_execution_context(), Stream()
        x, y = tensor(2, 4), tensor(2, 4)
        assert ctx.set_input_shape("x", (2, 4))
        assert ctx.set_tensor_address("x", x.data_ptr()) and ctx.set_tensor_address("y", y.data_ptr())
        assert ctx.execute_async_v3(stream.handle)
        stream.synchronize()

    shown, logger.show = logger.show, None
    try:
        stays_flat(work, rounds=300, warm_up=50)
    finally:
        logger.show = shown


@pytest.mark.skipif(lane.name != "reference", reason="the reference runtime's own way of doing it")
def test_outputs_of_unknown_size():
    ctx, stream, allocator = nonzero_engine().create_execution_context(), Stream(), Allocator()
    x = tensor(8, 4)
    assert ctx.set_input_shape("x", (8, 4)) and ctx.set_tensor_address("x", x.data_ptr())
    assert ctx.set_output_allocator("y", allocator)

    def work(_: int) -> None:
        assert ctx.execute_async_v3(stream.handle)
        allocator.asked.clear()
        allocator.told.clear()

    stays_flat(work, rounds=2000, warm_up=300)


def test_ten_thousand_requests_through_a_pipeline():
    """Of mixed shapes, 1 % of them invalid in three ways: the right ones right and in order, the others their error."""
    lookup = engine(LOOKUP, *[{"i": ((1,), (4,), (64,))}] * 2)
    table = torch.tensor([10.0, 11.0, 12.0, 13.0])

    def request(number: int) -> dict:
        ids = (torch.arange(1 + number % 64) + number) % 4
        if number % 100 != 50:
            return {"i": ids}
        invalid = [{"i": ids.float()}, {"i": torch.zeros(65, dtype=torch.int64)}, {"i": ids + 99}]
        if device.type == "cuda":  # there an index out of range is undefined
            invalid.pop()
        return invalid[number // 100 % len(invalid)]

    words = ["the engine wants torch.int64", "(65,) is outside profile", "out of data bounds"]
    errors, threads = 0, threading.active_count()
    memory = alive = 0
    with Pipeline(lookup) as pipeline, logger.quietly():
        for number, result in enumerate(pipeline.map(map(request, range(11_000)), return_exceptions=True)):
            if number == 1000:
                memory, alive = resident(), tensors_alive()
            if number % 100 == 50:
                errors += 1
                assert any(text in str(result) for text in words), (number, result)
            else:
                assert torch.equal(result["y"], table[request(number)["i"]]), number
    assert errors == 110
    assert tensors_alive() <= alive + 10  # RSS alone would not show that small ones are kept
    assert resident() <= memory * GROWTH
    del pipeline
    gc.collect()
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= threads
