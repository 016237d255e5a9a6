"""The checks of lesson 4's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import pytest
import torch

import trt_helpers as th
from trt_helpers.course import practice
from trt_helpers.course.practice import held


def said(capsys) -> str:
    """What a check printed, without TensorRT's log lines."""
    return "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("["))


@pytest.fixture
def impatient(monkeypatch):
    """For answers that wait for a held stream: they are given up sooner."""
    monkeypatch.setattr(held, "WAIT_S", 0.2)


@pytest.fixture(autouse=True)
def patient(monkeypatch, request):
    """On a busy machine a stream that runs ahead may need longer than the check gives it."""
    if "wrong" in request.fixturenames:
        monkeypatch.setattr(held, "GRACE_S", 1)


# ---- run_after -------------------------------------------------------------------------------------------------


def with_wait_stream(context, stream, producer):
    stream.wait_stream(producer)
    return context.execute_async_v3(stream.handle)


def with_an_event(context, stream, producer):
    producer.record_event().wait(stream)
    return context.execute_async_v3(stream.handle)


def on_the_producers_stream(context, stream, producer):
    return context.execute_async_v3(producer.handle)


@pytest.mark.parametrize("right", [with_wait_stream, with_an_event])
def test_waiting_for_the_producer_is_accepted(capsys, right):
    practice.check_run_after(right)
    assert said(capsys) == "Right. The stream waits for the producer, and Python for nobody."


def without_waiting(context, stream, producer):
    return context.execute_async_v3(stream.handle)


def waiting_too_late(context, stream, producer):
    enqueued = context.execute_async_v3(stream.handle)
    stream.wait_stream(producer)
    return enqueued


def the_wrong_way_round(context, stream, producer):
    producer.wait_stream(stream)
    return context.execute_async_v3(stream.handle)


def waiting_in_python(context, stream, producer):
    producer.synchronize()
    return context.execute_async_v3(stream.handle)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda context, stream, producer: ..., "Not solved yet"),
        (without_waiting, "it is -1: 'x' was read before the producer had filled it"),
        (waiting_too_late, "it is -1: 'x' was read before"),
        (the_wrong_way_round, "it is -1: 'x' was read before"),
        (on_the_producers_stream, "The execution went to another stream than 'stream'"),
        (lambda context, stream, producer: stream.wait_stream(producer) or True, "wrong values. Is the work done"),
        (lambda context, stream, producer: 1 / 0, "Your function raised ZeroDivisionError"),
    ],
)
def test_other_ways_to_wait_are_told_why(capsys, wrong, words):
    practice.check_run_after(wrong)
    assert words in said(capsys)


def test_waiting_in_python_is_told_so(capsys, impatient):
    practice.check_run_after(waiting_in_python)
    assert "Your function waited for the other stream" in said(capsys)


# ---- run_and_refill --------------------------------------------------------------------------------------------


def after_the_execution(context, stream, copying, x, new):
    enqueued = context.execute_async_v3(stream.handle)
    copying.wait_event(stream.record_event())
    th.copy_async(x, new, copying)
    return enqueued


def after_the_input_is_consumed(context, stream, copying, x, new):
    consumed = th.Event()
    context.set_input_consumed_event(consumed.handle)
    enqueued = context.execute_async_v3(stream.handle)
    context.set_input_consumed_event(0)
    copying.wait_event(consumed)
    th.copy_async(x, new, copying)
    return enqueued


@pytest.mark.parametrize("right", [after_the_execution, after_the_input_is_consumed])
def test_a_refill_in_time_is_accepted(capsys, right):
    practice.check_run_and_refill(right)
    assert said(capsys).startswith("Right. The old input was read")


def refill_at_once(context, stream, copying, x, new):
    enqueued = context.execute_async_v3(stream.handle)
    th.copy_async(x, new, copying)
    copying.synchronize()
    return enqueued


def event_too_early(context, stream, copying, x, new):
    event = th.Stream().record_event()
    enqueued = context.execute_async_v3(stream.handle)
    copying.wait_event(event)
    th.copy_async(x, new, copying)
    copying.synchronize()
    return enqueued


def waiting_for_earlier_work(context, stream, copying, x, new):
    copying.wait_stream(stream)
    enqueued = context.execute_async_v3(stream.handle)
    th.copy_async(x, new, copying)
    return enqueued


def refill_before(context, stream, copying, x, new):
    th.copy_async(x, new, stream)
    return context.execute_async_v3(stream.handle)


def all_on_copying(context, stream, copying, x, new):
    enqueued = context.execute_async_v3(copying.handle)
    th.copy_async(x, new, copying)
    return enqueued


def all_on_stream(context, stream, copying, x, new):
    enqueued = context.execute_async_v3(stream.handle)
    th.copy_async(x, new, stream)
    return enqueued


def refill_after_waiting(context, stream, copying, x, new):
    enqueued = context.execute_async_v3(stream.handle)
    stream.synchronize()
    x.copy_(new)
    return enqueued


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda context, stream, copying, x, new: None, "Not solved yet"),
        (refill_at_once, "it is -7: 'x' was overwritten before the execution had read it"),
        (event_too_early, "it is -7: 'x' was overwritten"),
        (waiting_for_earlier_work, "it is -7: 'x' was overwritten"),
        (refill_before, "it is -7: 'x' was overwritten"),
        (all_on_copying, "The execution went to another stream than 'stream'"),
        (all_on_stream, "All values are right, but the copy is not on 'copying'"),
        (lambda c, stream, copying, x, new: c.execute_async_v3(stream.handle), "'x' should hold the new values"),
        (lambda c, stream, copying, x, new: th.copy_async(x, new, copying) or True, "was the execution enqueued?"),
        (lambda context, stream, copying, x, new: 1 / 0, "Your function raised ZeroDivisionError"),
    ],
)
def test_other_refills_are_told_why(capsys, wrong, words):
    practice.check_run_and_refill(wrong)
    assert words in said(capsys)


def test_a_refill_that_waits_is_told_so(capsys, impatient):
    practice.check_run_and_refill(refill_after_waiting)
    assert "Your function waited for the other stream" in said(capsys)


# ---- two_at_a_time ---------------------------------------------------------------------------------------------


def in_flight(engine, tensors, most=2, lose=False):
    contexts, futures = [], []
    for index in range(2):
        contexts.append(engine.create_execution_context())
        stream = th.Stream()
        contexts[-1].set_optimization_profile_async(index, stream.handle)
        stream.synchronize()
    for number, tensor in enumerate(tensors):
        futures.append(th.infer_async(contexts[number % 2], {engine[0]: tensor}))
        if len(futures) == most:
            yield futures.pop(0).result()[engine[1]]
    for future in () if lose else futures:
        yield future.result()[engine[1]]


def test_two_in_flight_are_accepted(capsys):
    practice.check_two_at_a_time(in_flight)
    assert said(capsys) == "Right. Five results in order, two requests in flight."


def out_of_order(engine, tensors):
    first, second, *others = in_flight(engine, tensors)
    yield from (second, first, *others)


def never_waited_for(engine, tensors):
    for tensor in in_flight(engine, tensors):
        yield torch.zeros_like(tensor)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda engine, tensors: iter([...]), "Not solved yet"),
        (lambda engine, tensors: iter(list(in_flight(engine, tensors))), "5 requests were in flight at first, not two"),
        (lambda engine, tensors: in_flight(engine, tensors, lose=True), "4 outputs came out: is something left"),
        (out_of_order, "Output 0, for an input of shape (5, 3): 'counted' has shape (3, 1), expected (3, 5)"),
        (never_waited_for, "the right shape and wrong values. Is the work done"),
        (lambda engine, tensors: [t.T for t in tensors], "'counted' is torch.float32, expected torch.int32"),
        (lambda engine, tensors: 1 / 0, "Your generator raised ZeroDivisionError"),
    ],
)
def test_other_pipelines_are_told_why(capsys, wrong, words):
    practice.check_two_at_a_time(wrong)
    assert words in said(capsys)


def one_at_a_time(engine, tensors):
    return in_flight(engine, tensors, most=1)


def reading_ahead(engine, tensors):
    context, ahead = engine.create_execution_context(), []
    for tensor in tensors:
        ahead.append(tensor)
        if len(ahead) == 2:
            yield th.infer(context, {engine[0]: ahead.pop(0)})[engine[1]]
    for tensor in ahead:
        yield th.infer(context, {engine[0]: tensor})[engine[1]]


def two_by_two(engine, tensors):
    """Two are taken and run before the first result is given, but one after the other."""
    context, done = engine.create_execution_context(), []
    for tensor in tensors:
        done.append(th.infer(context, {engine[0]: tensor})[engine[1]])
        if len(done) == 2:
            yield from done
            done = []
    yield from done


def waiting_for_each(engine, tensors):
    stream, context, futures = th.Stream(), engine.create_execution_context(), []
    for tensor in tensors:
        futures.append(th.infer_async(context, {engine[0]: tensor}, stream=stream))
        stream.synchronize()
        if len(futures) == 2:
            yield futures.pop(0).result()[engine[1]]
    for future in futures:
        yield future.result()[engine[1]]


synchronous = [one_at_a_time, reading_ahead]
if th.device.type == "cpu":  # these two enqueue both first, and only a gate tells them apart
    synchronous += [two_by_two, waiting_for_each]


@pytest.mark.parametrize("wrong", synchronous)
def test_a_first_request_that_is_waited_for_is_told_so(capsys, wrong, impatient):
    practice.check_two_at_a_time(wrong)
    assert "the first was waited for before the second request was enqueued" in said(capsys)


def with_a_pipeline(engine, tensors):
    with th.Pipeline(engine, depth=1) as pipeline:
        for outputs in pipeline.map({engine[0]: tensor.cpu()} for tensor in tensors):
            yield outputs[engine[1]].to(th.device)


@pytest.mark.skipif(
    th.device.type == "cuda", reason="a GPU is done before the second is enqueued, and it is handed out"
)
def test_a_pipeline_with_two_in_flight_is_accepted(capsys):
    practice.check_two_at_a_time(with_a_pipeline)
    assert said(capsys) == "Right. Five results in order, two requests in flight."
