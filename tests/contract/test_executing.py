"""Executing (rules 54 to 65)."""

import threading

import pytest
import torch

from tests.contract.support import (
    LOOKUP,
    RELU,
    SMALL,
    bind,
    context,
    default_stream_held,
    engine,
    execute,
    held,
    ready_relu,
    settle,
    tensor,
    warm,
)
from trt_helpers import Event, Stream, default_stream, device, lane, trt

ENQUEUE = "IExecutionContext::enqueueV3: Error Code 3: API Usage Error (Parameter check failed, condition: "


def test_rule_54_shape_missing(log):
    ctx, x, y = context(RELU, SMALL), tensor(2, 4), tensor(2, 4)
    bind(ctx, x=x, y=y)
    assert ctx.execute_async_v3(Stream().handle) is False
    words = "Not all shapes are specified. Following input tensors' dimensions are not specified: x."
    log.refused(ENQUEUE + "inputDimensionSpecified && inputShapesSpecified", words)
    assert ctx.execute_v2([x.data_ptr(), y.data_ptr()]) is False
    log.refused("IExecutionContext::executeV2: Error Code 3", words)


def test_rule_54_input_address_missing(log):
    ctx, _, _ = ready_relu()
    assert ctx.set_tensor_address("x", 0)
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("IExecutionContext::enqueueV3: Error Code 3", "Address is not set for input tensor x.")


def test_rule_54_output_address_missing(log):
    ctx, _, _ = ready_relu()
    assert ctx.set_tensor_address("y", 0)
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("enqueueV3: Error Code 3", "Neither address or allocator is set for output tensor y.")


def test_rule_54_a_null_binding(log):
    ctx, x, y = ready_relu()
    for bindings, name in (([0, y.data_ptr()], "x"), ([x.data_ptr(), 0], "y")):
        assert ctx.execute_v2(bindings) is False
        log.refused("executeV2: Error Code 3", "condition: nullPtrAllowed", f'Tensor "{name}" is bound to nullptr')


def test_rule_55_aux_streams_are_accepted():
    ctx, x, y = ready_relu()
    extra = [Stream(), Stream()]
    assert ctx.set_aux_streams([s.handle for s in extra]) is None
    execute(ctx)
    assert (y == x.relu()).all()


def test_rule_56_true_means_enqueued_not_finished():
    ctx, x, y = ready_relu()
    stream = Stream()
    warm(ctx, stream)
    with held(stream):
        assert ctx.execute_async_v3(stream.handle) is True
        if device.type == "cpu":  # a GPU would have to wait for the copy that the comparison makes
            assert (y == -999).all()
    stream.synchronize()
    assert (y == x.relu()).all()


@pytest.mark.skipif(device.type == "cuda", reason="on a GPU the race is decided by its speed")
def test_rule_57_inputs_are_read_when_the_work_runs():
    ctx, x, y = ready_relu()
    stream = Stream()
    warm(ctx, stream)
    with held(stream):
        assert ctx.execute_async_v3(stream.handle)
        x.fill_(7)  # too early: the work has not read it yet
    stream.synchronize()
    assert (y == 7).all()


def test_rule_57_the_addresses_of_the_enqueue_count():
    ctx, x, y = ready_relu()
    stream, other = Stream(), tensor(2, 4, fill=5)
    warm(ctx, stream)
    with held(stream):
        assert ctx.execute_async_v3(stream.handle)
        bind(ctx, x=other)
        assert ctx.set_input_shape("x", (1, 4))
    stream.synchronize()
    assert (y == x.relu()).all()


def test_rule_58_the_input_consumed_event():
    ctx, _, _ = ready_relu()
    event, stream = Event(), Stream()
    warm(ctx, stream)
    assert ctx.get_input_consumed_event() == 0
    assert ctx.set_input_consumed_event(event.handle) is True
    assert ctx.get_input_consumed_event() == event.handle
    for _ in range(2):  # it persists
        with held(stream):
            assert ctx.execute_async_v3(stream.handle)
            assert not event.query()
        event.synchronize()
        assert event.query()
    assert ctx.set_input_consumed_event(0) is True and ctx.get_input_consumed_event() == 0


def test_rule_59_the_default_stream_works_and_warns(log):
    ctx, x, y = ready_relu()
    assert ctx.execute_async_v3(0) is True
    assert any("Using default stream in enqueueV3() may lead to performance issues" in w for w in log.warnings)
    assert ctx.execute_v2([x.data_ptr(), y.data_ptr()])  # waits for stream 0
    settle()
    assert (y == x.relu()).all()


def test_rule_59_each_context_warns_once(log):
    contexts = [ready_relu() for _ in range(3)]
    for _ in range(4):
        for ctx, _, _ in contexts:
            assert ctx.execute_async_v3(0)
    settle()
    assert sum("Using default stream in enqueueV3()" in w for w in log.warnings) == 3


def test_rule_59_other_streams_do_not_warn(log):
    ctx, _, _ = ready_relu()
    execute(ctx)
    assert log.warnings == []


def test_rule_60_execute_v2_is_synchronous_and_takes_a_list():
    ctx, x, y = ready_relu()
    other_x, other_y = tensor(2, 4, fill=3), tensor(2, 4, fill=-999)
    assert ctx.execute_v2([other_x.data_ptr(), other_y.data_ptr()]) is True
    assert (other_y == 3).all() and (y == -999).all()
    assert ctx.get_tensor_address("x") == x.data_ptr()


@pytest.mark.skipif(lane.name != "reference", reason="TensorRT reads past the end of a short list")
def test_rule_60_the_reference_runtime_refuses_a_short_list(log):
    ctx, x, _ = ready_relu()
    assert ctx.execute_v2([x.data_ptr()]) is False
    log.refused("executeV2", "1 addresses for 2 I/O tensors")


def lookup(row: int) -> tuple:
    ctx, i, y = context(LOOKUP, {"i": ((1,), (2,), (8,))}), tensor(2, fill=row, dtype=torch.int64), tensor(2, fill=-999)
    assert ctx.set_input_shape("i", (2,))
    bind(ctx, i=i, y=y)
    return ctx, i, y


@pytest.mark.skipif(device.type == "cuda", reason="an index out of range is undefined on a GPU")
def test_rule_61_a_failed_execution_leaves_outputs_as_they_were(log):
    ctx, i, y = lookup(99)
    stream = Stream()
    assert ctx.execute_async_v3(stream.handle) is True
    with pytest.raises(Exception, match="indices element out of data bounds"):
        stream.synchronize()
    assert (y == -999).all()
    log.refused("IExecutionContext::enqueueV3: Error Code 7")
    with pytest.raises(Exception, match="out of data bounds"):  # the stream keeps its error
        stream.synchronize()
    i.fill_(2)  # engine and context are as good as before
    execute(ctx)
    assert (y == 12).all()


def test_rule_62_contexts_in_threads_of_their_own():
    made, failures = engine(RELU, SMALL), []

    def work(seed: int) -> None:
        ctx, stream = made.create_execution_context(), Stream()
        for step in range(20):
            rows = 1 + (seed + step) % 8
            x, y = tensor(rows, 4), tensor(rows, 4, fill=-999)
            good = ctx.set_input_shape("x", (rows, 4)) and ctx.set_tensor_address("x", x.data_ptr())
            good = good and ctx.set_tensor_address("y", y.data_ptr()) and ctx.execute_async_v3(stream.handle)
            stream.synchronize()
            if not good or not torch.equal(y, x.relu()):
                failures.append((seed, step))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class WatchedLock:
    """A context's lock, and whether anybody has got it: to find out by taking it would shut the other thread out."""

    def __init__(self):
        self._lock, self.taken = threading.RLock(), threading.Event()

    def acquire(self, blocking=True):
        got = self._lock.acquire(blocking)
        if got:
            self.taken.set()
        return got

    def release(self):
        self._lock.release()


@pytest.mark.skipif(lane.name != "reference", reason="TensorRT leaves one context in two threads undefined")
def test_rule_62_one_context_in_two_threads_is_reported(log):
    ctx, x, y = ready_relu()
    warm(ctx, default_stream())
    ctx._busy = lock = WatchedLock()
    with default_stream_held():
        first = threading.Thread(target=ctx.execute_v2, args=([x.data_ptr(), y.data_ptr()],))
        first.start()
        assert lock.taken.wait(60)
        assert ctx.execute_async_v3(Stream().handle) is False
        log.refused("used by another thread")
        assert ctx.set_input_shape("x", (1, 4)) is False
        log.refused("setInputShape", "used by another thread")
    first.join()
    assert (y == x.relu()).all() and ctx.get_tensor_shape("x") == (2, 4)


def test_rule_63_the_gil_is_released_while_execute_v2_waits():
    ctx, x, y = ready_relu()
    warm(ctx, default_stream())
    with default_stream_held():
        waiting = threading.Thread(target=ctx.execute_v2, args=([x.data_ptr(), y.data_ptr()],))
        waiting.start()
        assert sum(range(100_000)) > 0  # Python goes on in this thread
        if device.type == "cpu":
            assert waiting.is_alive() and (y == -999).all()
    waiting.join()
    assert (y == x.relu()).all()


class Profiler(trt.IProfiler):
    def __init__(self):
        trt.IProfiler.__init__(self)
        self.times = []

    def report_layer_time(self, layer_name, ms):
        self.times.append((layer_name, ms))


def test_rule_65_a_profiler_makes_enqueue_wait_and_report():
    ctx, x, y = ready_relu()
    assert ctx.profiler is None and ctx.enqueue_emits_profile is True
    ctx.profiler = Profiler()
    stream = Stream()
    assert ctx.execute_async_v3(stream.handle)
    assert ctx.profiler.times and all(name and ms >= 0 for name, ms in ctx.profiler.times)
    assert (y == x.relu()).all()


def test_rule_65_reporting_later():
    ctx, _, _ = ready_relu()
    ctx.profiler, ctx.enqueue_emits_profile = Profiler(), False
    execute(ctx)
    assert ctx.profiler.times == []
    assert ctx.report_to_profiler() is True and ctx.profiler.times


def test_settings_of_a_context():
    ctx = context(RELU, SMALL)
    assert (ctx.name, ctx.debug_sync, ctx.persistent_cache_limit) == ("", False, 0)
    ctx.name, ctx.debug_sync = "first", True
    assert (ctx.name, ctx.debug_sync) == ("first", True)
    with pytest.raises(TypeError):
        ctx.name = 3
    before = ctx.nvtx_verbosity
    assert before == ctx.engine.profiling_verbosity
    ctx.nvtx_verbosity = trt.ProfilingVerbosity.NONE
    assert ctx.nvtx_verbosity == trt.ProfilingVerbosity.NONE
    assert ctx.temporary_allocator is None or ctx.temporary_allocator
    assert ctx.get_debug_listener() is None and ctx.get_debug_state("y") is False
    assert ctx.set_all_tensors_debug_state(True) is True and ctx.unfused_tensors_debug_state is False


def test_nvtx_verbosity_cannot_be_raised_above_the_engines(log):
    ctx = context(RELU, SMALL)
    ctx.nvtx_verbosity = trt.ProfilingVerbosity.DETAILED
    assert ctx.nvtx_verbosity != trt.ProfilingVerbosity.DETAILED
