"""Streams, events and gates on the CPU: the same promises as CUDA's, decided by gates and not by luck."""

import gc
import threading
import time
import weakref

import pytest

from trt_helpers import device, lane

if lane.name != "reference" or device.type != "cpu":
    pytest.skip("the reference lane on the CPU only", allow_module_level=True)

from trt_helpers.cpu_stream import CpuEvent, CpuGate, CpuStream, event_of, stream_of  # noqa: E402


def fail() -> None:
    raise ValueError("it failed")


def test_work_on_one_stream_is_done_in_order():
    stream, done = CpuStream(), []
    for number in range(100):
        stream.enqueue(lambda number=number: done.append(number))
    stream.synchronize()
    assert done == list(range(100))


def test_enqueue_returns_before_the_work_is_done():
    stream, done = CpuStream(), []
    with CpuGate() as gate:
        gate.hold(stream)
        stream.enqueue(lambda: done.append(1))
        assert done == [] and stream.query() is False
    stream.synchronize()
    assert done == [1] and stream.query() is True


def test_two_streams_run_at_the_same_time():
    """Each waits for the other: one after the other neither would end."""
    one, two, meeting = CpuStream(), CpuStream(), threading.Barrier(2, timeout=10)
    for stream in (one, two):
        stream.enqueue(meeting.wait)
    one.synchronize()
    two.synchronize()


def test_streams_know_nothing_of_each_other_without_an_event():
    one, two, done = CpuStream(), CpuStream(), []
    with CpuGate() as gate:
        gate.hold(one)
        one.enqueue(lambda: done.append("one"))
        two.enqueue(lambda: done.append("two"))
        two.synchronize()
        assert done == ["two"]
    one.synchronize()


@pytest.mark.parametrize("how", ["event", "stream"])
def test_an_event_orders_two_streams(how):
    one, two, done = CpuStream(), CpuStream(), []
    with CpuGate() as gate:
        gate.hold(one)
        one.enqueue(lambda: done.append("one"))
        if how == "event":
            two.wait_event(one.record_event())
        else:
            two.wait_stream(one)
        two.enqueue(lambda: done.append("two"))
        assert not two.query()
    two.synchronize()
    assert done == ["one", "two"]


def test_an_event_is_done_when_the_work_before_it_is():
    stream, event = CpuStream(), CpuEvent()
    assert event.query() is True  # never recorded
    event.synchronize()
    with CpuGate() as gate:
        gate.hold(stream)
        event.record(stream)
        assert event.query() is False
    event.synchronize()
    assert event.query() is True


def test_recording_again_moves_the_event():
    one, two, event = CpuStream(), CpuStream(), CpuEvent()
    event.record(one)
    event.synchronize()
    with CpuGate() as gate:
        gate.hold(two)
        event.record(two)
        assert event.query() is False
    event.synchronize()


def test_elapsed_time_is_in_milliseconds():
    stream, start, end = CpuStream(), CpuEvent(), CpuEvent()
    start.record(stream)
    stream.enqueue(lambda: time.sleep(0.02))
    with pytest.raises(RuntimeError, match="recorded and done"):
        start.elapsed_time(end)
    end.record(stream)
    end.synchronize()
    assert 19 <= start.elapsed_time(end) < 5000


def test_an_error_is_sticky_and_drops_what_is_behind_it():
    stream, done = CpuStream(), []
    stream.enqueue(fail)
    stream.enqueue(lambda: done.append(1))
    for _ in range(2):
        with pytest.raises(ValueError, match="it failed"):
            stream.synchronize()
    with pytest.raises(ValueError):
        stream.query()
    assert done == []
    other = CpuStream()
    other.synchronize()  # only that stream is lost


def test_whoever_waits_for_an_event_gets_the_error_before_it():
    one, two = CpuStream(), CpuStream()
    one.enqueue(fail)
    event = one.record_event()
    two.wait_event(event)
    for wait in (event.synchronize, event.query, two.synchronize):
        with pytest.raises(ValueError, match="it failed"):
            wait()


def test_handles_find_live_objects_only():
    stream, event = CpuStream(), CpuEvent()
    assert stream_of(stream.handle) is stream and event_of(event.handle) is event
    assert stream.handle != event.handle and stream_of(event.handle) is None
    handles = stream.handle, event.handle
    worker, there = stream.worker, weakref.ref(stream)
    del stream, event
    gc.collect()
    assert there() is None and stream_of(handles[0]) is None and event_of(handles[1]) is None
    worker.join(10)
    assert not worker.is_alive()


def test_a_forgotten_stream_finishes_its_work():
    done, finished = [], threading.Event()
    stream = CpuStream()
    stream.enqueue(lambda: done.append(1))
    stream.enqueue(finished.set)
    del stream
    assert finished.wait(10) and done == [1]


def test_a_gate_opens_when_its_block_raises():
    stream = CpuStream()
    with pytest.raises(ZeroDivisionError), CpuGate() as gate:
        gate.hold(stream)
        1 / 0  # noqa: B018
    stream.synchronize()


def test_a_gate_that_is_gone_holds_nobody():
    stream, done = CpuStream(), []
    gate = CpuGate()
    gate.hold(stream)
    stream.enqueue(lambda: done.append(1))
    del gate
    stream.synchronize()
    assert done == [1]
