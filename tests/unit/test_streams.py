"""Streams in the lane of this machine; what only worker threads can show is skipped on a GPU."""

import gc
import sys
import threading
import weakref

import pytest
import torch

import trt_helpers as th

pytestmark = pytest.mark.skipif(th.device.type != "cpu", reason="on a GPU these are PyTorch's own streams")
WAIT_S = 20


@pytest.fixture
def stream():
    return th.Stream()


def test_work_is_done_in_order(stream):
    done = []
    for i in range(200):
        stream.enqueue(lambda i=i: done.append(i))
    stream.synchronize()
    assert done == list(range(200))


def test_enqueue_returns_before_the_work_is_done(stream):
    gate, done = threading.Event(), []
    stream.enqueue(lambda: (gate.wait(WAIT_S), done.append(1)))
    assert not done
    gate.set()
    stream.synchronize()
    assert done == [1]


def test_synchronize_with_nothing_to_wait_for(stream):
    stream.synchronize()
    stream.synchronize()


def test_two_streams_do_not_wait_for_each_other(stream):
    other, gate, done = th.Stream(), threading.Event(), []
    stream.enqueue(lambda: gate.wait(WAIT_S))
    stream.enqueue(lambda: done.append("held"))
    other.enqueue(lambda: done.append("free"))
    other.synchronize()
    assert done == ["free"]
    gate.set()
    stream.synchronize()
    assert done == ["free", "held"]


def test_handles_are_numbers_and_differ():
    streams = [th.Stream() for _ in range(20)]
    assert len({stream.handle for stream in streams}) == 20
    assert all(isinstance(stream.handle, int) and stream.handle != 0 for stream in streams)


def test_error_is_sticky_and_drops_the_work_behind_it(stream):
    done = []
    stream.enqueue(lambda: done.append("before"))
    stream.enqueue(lambda: 1 / 0)
    stream.enqueue(lambda: done.append("behind"))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            stream.synchronize()
    stream.enqueue(lambda: done.append("later"))
    with pytest.raises(ZeroDivisionError):
        stream.synchronize()
    assert done == ["before"]


def test_work_that_wants_to_exit_does_not_take_the_stream_with_it(stream):
    stream.enqueue(sys.exit)
    with pytest.raises(SystemExit):
        stream.synchronize()


def test_the_first_error_is_the_one_that_is_told(stream):
    stream.enqueue(lambda: 1 / 0)
    stream.enqueue(lambda: {}["key"])
    with pytest.raises(ZeroDivisionError):
        stream.synchronize()


def test_an_error_stays_on_its_own_stream(stream):
    other, done = th.Stream(), []
    stream.enqueue(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stream.synchronize()
    other.enqueue(lambda: done.append(1))
    other.synchronize()
    assert done == [1]


def test_many_streams_at_once():
    done, streams = [], [th.Stream() for _ in range(64)]
    for number, stream in enumerate(streams):
        for piece in range(10):
            stream.enqueue(lambda number=number, piece=piece: done.append((number, piece)))
    for stream in streams:
        stream.synchronize()
    assert len(done) == 640
    for number in range(64):
        assert [piece for n, piece in done if n == number] == list(range(10))


def test_many_threads_may_fill_one_stream(stream):
    done = []
    threads = [
        threading.Thread(target=lambda: [stream.enqueue(lambda: done.append(1)) for _ in range(100)]) for _ in range(8)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    stream.synchronize()
    assert len(done) == 800


def test_a_forgotten_stream_finishes_its_work_and_its_thread_ends():
    before = set(threading.enumerate())
    gate, finished = threading.Event(), threading.Event()
    stream = th.Stream()
    (thread,) = set(threading.enumerate()) - before
    stream.enqueue(lambda: gate.wait(WAIT_S))
    stream.enqueue(finished.set)
    gone = weakref.ref(stream)
    del stream
    gc.collect()
    assert gone() is None
    gate.set()
    assert finished.wait(WAIT_S)
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_a_failed_stream_ends_too():
    before = set(threading.enumerate())
    stream = th.Stream()
    (thread,) = set(threading.enumerate()) - before
    stream.enqueue(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stream.synchronize()
    del stream
    gc.collect()
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_streams_leave_no_threads_behind():
    before = set(threading.enumerate())
    for _ in range(50):
        th.Stream().enqueue(lambda: None)
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT_S)
    assert set(threading.enumerate()) <= before


def test_done_work_lets_go_of_its_tensors(stream):
    tensor = torch.ones(3)
    gone = weakref.ref(tensor)
    stream.enqueue(lambda kept=tensor: kept.sum())
    del tensor
    stream.synchronize()
    gc.collect()
    assert gone() is None
