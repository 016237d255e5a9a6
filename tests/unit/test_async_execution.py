"""``infer_async``: the work is enqueued, its tensors live until it is done, its errors come with the result."""

import gc

import pytest
import torch

import trt_helpers as th
from trt_helpers import execution

on_cpu_only = pytest.mark.skipif(th.device.type != "cpu", reason="an index out of range is undefined on a GPU")


def inputs(value: float, rows: int = 2) -> dict[str, torch.Tensor]:
    return {name: torch.full((rows, 4), float(value), device=th.device) for name in ("x", "w")}


@pytest.fixture
def warm(context):
    """A context that has run once on a stream of its own, which is returned too."""
    stream = th.Stream()
    th.infer_async(context, inputs(0), stream=stream).result()
    return context, stream


def test_it_returns_before_the_work_is_done(warm):
    context, stream = warm
    with th.Gate() as gate:
        gate.hold(stream)
        future = th.infer_async(context, inputs(2), stream=stream)
        assert future.done() is False
    assert future.result()["y"].tolist() == [[6.0] * 4] * 2
    assert future.done() is True


def test_inputs_and_outputs_live_until_the_work_is_done(warm):
    context, stream = warm
    with th.Gate() as gate:
        gate.hold(stream)
        future = th.infer_async(context, inputs(2), stream=stream)
        outputs = future.outputs["y"]
        dropped = th.infer_async(context, inputs(3), stream=stream)
        del dropped  # nobody will ask for it, and it still has to write somewhere
        gc.collect()
        others = [torch.full((2, 4), -1.0, device=th.device) for _ in range(50)]
    stream.synchronize()
    assert outputs.tolist() == [[6.0] * 4] * 2
    assert all(other.eq(-1).all() for other in others)


def test_requests_of_one_context_run_in_order_without_waiting(context):
    futures = [th.infer_async(context, inputs(value, rows=1 + value)) for value in range(8)]
    for value, future in enumerate(futures):
        assert future.result()["y"].tolist() == [[3.0 * value] * 4] * (1 + value)


def test_results_in_any_order(context):
    futures = [th.infer_async(context, inputs(value)) for value in range(4)]
    assert [futures[i].result()["y"][0, 0].item() for i in (3, 0, 2, 1)] == [9, 0, 6, 3]


def test_own_outputs_are_written(warm):
    context, stream = warm
    y = torch.zeros(2, 4, device=th.device)
    assert th.infer_async(context, inputs(1), {"y": y}, stream).result()["y"] is y
    assert y.tolist() == [[3.0] * 4] * 2


def test_another_stream_can_wait_for_it(warm):
    context, stream = warm
    reader, read = th.Stream(), torch.zeros(2, 4, device=th.device)
    th.copy_async(torch.zeros_like(read), read, reader)
    with th.Gate() as gate:
        gate.hold(stream)
        future = th.infer_async(context, inputs(2), stream=stream)
        future.event.wait(reader)
        th.copy_async(read, future.outputs["y"], reader)
    reader.synchronize()
    assert read.tolist() == [[6.0] * 4] * 2


def test_what_is_refused_is_raised_at_once(context):
    with pytest.raises(th.TensorRTError, match="outside profile 0"):
        th.infer_async(context, inputs(1, rows=9))


def test_conversion(context):
    given = {name: [[1.0] * 4] * 2 for name in ("x", "w")}
    with th.logger.quietly():
        assert th.infer_async(context, given, convert=True).result()["y"].tolist() == [[3.0] * 4] * 2


@on_cpu_only
def test_what_fails_later_is_raised_by_the_result(lookup_engine):
    context = lookup_engine.create_execution_context()
    with th.logger.quietly():
        future = th.infer_async(context, {"ids": torch.tensor([1, 99])})
        for _ in range(2):
            with pytest.raises(th.TensorRTError, match="The enqueued work failed"):
                future.result()
        assert future.done() is True
    again = th.infer_async(context, {"ids": torch.tensor([1, 3])})
    assert again.result()["y"].tolist() == [10, 30]


@on_cpu_only
def test_a_failure_that_nobody_asks_for_is_no_later_requests(lookup_engine):
    context = lookup_engine.create_execution_context()
    with th.logger.quietly():
        th.infer_async(context, {"ids": torch.tensor([1, 99])}).event._mark.reached.wait()
    assert th.infer(context, {"ids": torch.tensor([1, 3])})["y"].tolist() == [10, 30]


@on_cpu_only
def test_asking_for_an_old_failure_moves_no_newer_request(lookup_engine):
    """Newer requests of a context stay on one stream, in order, whatever is asked of older ones."""
    context = lookup_engine.create_execution_context()
    with th.logger.quietly():
        failed = [th.infer_async(context, {"ids": torch.tensor([1, 99])}) for _ in range(2)]
        for future in failed:
            future.event._mark.reached.wait()
        newer = th.infer_async(context, {"ids": torch.tensor([2])})
        kept = execution._kept[context].stream
        for future in failed:
            with pytest.raises(th.TensorRTError):
                future.result()
        assert execution._kept[context].stream is kept
        assert newer.result()["y"].tolist() == [20]


def test_an_engine_is_no_context(adder_engine):
    with pytest.raises(TypeError, match="create_execution_context"):
        th.infer_async(adder_engine, inputs(1))
