"""Streams, events, gates and copies through the one interface of all lanes: the same promises on a GPU."""

import gc

import pytest
import torch

import trt_helpers as th


def full(value: float, size: int = 4) -> torch.Tensor:
    made = torch.full((size,), float(value), device=th.device)
    th.default_stream().synchronize()  # on a GPU PyTorch fills it on a stream of its own
    return made


@pytest.fixture
def streams():
    """Two streams that have each copied once: nothing has to be loaded while one of them is held."""
    made = th.Stream(), th.Stream()
    for stream in made:
        th.copy_async(full(0), full(0), stream)
        stream.enqueue(lambda: full(1).mul_(2))
        stream.synchronize()
    return made


def test_a_copy_happens_in_the_streams_order(streams):
    stream, target, source = streams[0], full(0), full(1)
    with th.Gate() as gate:
        gate.hold(stream)
        th.copy_async(target, source, stream)
        assert stream.query() is False
    stream.synchronize()
    assert stream.query() is True
    assert target.tolist() == [1, 1, 1, 1]


def test_a_copy_reads_its_source_when_it_runs(streams):
    one, other = streams
    target, source = full(0), full(1)
    with th.Gate() as gate:
        gate.hold(one)
        th.copy_async(target, source, one)
        th.copy_async(source, full(7), other)
        other.synchronize()
    one.synchronize()
    assert target.tolist() == [7, 7, 7, 7]


def test_a_copy_keeps_its_tensors_alive(streams):
    stream, target = streams[0], full(0, 1000)
    with th.Gate() as gate:
        gate.hold(stream)
        th.copy_async(target, full(3, 1000), stream)  # nobody else has the source
        gc.collect()
        others = [full(9, 1000) for _ in range(20)]  # would take its memory, were it free
    stream.synchronize()
    assert target.tolist() == [3] * 1000 and len(others) == 20


def test_what_is_enqueued_holds_memory_until_it_is_done(streams):
    stream = streams[0]
    with th.Gate() as gate:
        gate.hold(stream)
        kept = full(3, 1000)
        address = kept.data_ptr()
        with stream.holding(kept):
            stream.enqueue(lambda: None)
        del kept
        gc.collect()
        assert address not in {full(9, 1000).data_ptr() for _ in range(20)}
    stream.synchronize()


def test_copies_to_and_from_pinned_memory(streams):
    stream = streams[0]
    there, back = torch.empty(4, device=th.device), th.pinned_empty((4,))
    source = th.pinned_empty((4,)).copy_(torch.arange(4.0))
    th.copy_async(there, source, stream)
    th.copy_async(back, there, stream)
    stream.synchronize()
    assert back.tolist() == [0, 1, 2, 3]
    assert back.is_pinned() == (th.device.type == "cuda")


def test_pinned_memory_has_the_shape_and_dtype_asked_for():
    made = th.pinned_empty([2, 3], torch.int64)
    assert (tuple(made.shape), made.dtype, made.device.type) == ((2, 3), torch.int64, "cpu")
    assert th.pinned_empty((1,)).dtype == torch.float32


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (torch.zeros(3), "A tensor of (3,) torch.float32 cannot be copied into one of (4,) torch.float32."),
        (torch.zeros(4, dtype=torch.int64), "(4,) torch.int64 cannot be copied into one of (4,) torch.float32."),
    ],
)
def test_a_copy_that_does_not_fit(streams, source, words):
    with pytest.raises(th.TensorRTError, match="(?i)allocate the target like the source") as caught:
        th.copy_async(full(0), source, streams[0])
    assert words in str(caught.value)


def test_a_copy_does_not_depend_on_the_callers_modes(streams):
    stream = streams[0]
    with torch.inference_mode():
        inside = full(0)
        th.copy_async(inside, full(4), stream)
        stream.synchronize()
    target = full(0)
    with torch.no_grad():
        th.copy_async(target, torch.nn.Parameter(full(3)), stream)
        stream.synchronize()
    assert inside.tolist() == [4] * 4 and target.tolist() == [3] * 4 and not target.requires_grad


def test_an_event_is_done_when_the_work_before_it_is(streams):
    stream, event = streams[0], th.Event()
    with th.Gate() as gate:
        gate.hold(stream)
        assert stream.record_event(event) is event
        assert event.query() is False
    event.synchronize()
    assert event.query() is True


@pytest.mark.parametrize("how", ["wait_stream", "wait_event", "event.wait"])
def test_one_stream_waits_for_another(streams, how):
    producer, consumer = streams
    made, read = full(0), full(-1)
    with th.Gate() as gate:
        gate.hold(producer)
        th.copy_async(made, full(5), producer)
        if how == "wait_stream":
            consumer.wait_stream(producer)
        elif how == "wait_event":
            consumer.wait_event(producer.record_event())
        else:
            producer.record_event().wait(consumer)
        th.copy_async(read, made, consumer)
        assert consumer.query() is False
    consumer.synchronize()
    assert read.tolist() == [5, 5, 5, 5]


def test_without_waiting_the_reader_is_first(streams):
    producer, consumer = streams
    made, read = full(0), full(-1)
    with th.Gate() as gate:
        gate.hold(producer)
        th.copy_async(made, full(5), producer)
        th.copy_async(read, made, consumer)
        consumer.synchronize()
    producer.synchronize()
    assert read.tolist() == [0, 0, 0, 0] and made.tolist() == [5, 5, 5, 5]


def test_elapsed_time_between_two_events(streams):
    stream = streams[0]
    start = stream.record_event()
    th.copy_async(full(0), full(1), stream)
    end = stream.record_event()
    end.synchronize()
    assert start.elapsed_time(end) >= 0


def test_time_of_an_event_that_was_never_recorded():
    event = th.Stream().record_event()
    event.synchronize()
    with pytest.raises((RuntimeError, ValueError)):
        th.Event().elapsed_time(event)


def test_handles_are_numbers():
    stream, event = th.Stream(), th.Event()
    assert isinstance(stream.handle, int) and stream.handle != 0
    assert isinstance(event.handle, int) and event.handle != 0
    assert th.default_stream().handle == 0


def test_enqueued_work_is_in_the_streams_order(streams):
    producer, consumer = streams
    made, read = full(2), full(0)
    with th.Gate() as gate:
        gate.hold(producer)
        producer.enqueue(lambda: made.mul_(10))
        consumer.wait_stream(producer)
        consumer.enqueue(lambda: read.copy_(made))
    consumer.synchronize()
    assert read.tolist() == [20, 20, 20, 20]


def test_a_gate_opens_at_the_end_of_its_block_whatever_happens(streams):
    stream = streams[0]
    with pytest.raises(ZeroDivisionError), th.Gate() as gate:
        gate.hold(stream)
        1 / 0  # noqa: B018
    stream.synchronize()


def test_a_forgotten_gate_holds_nobody(streams):
    stream = streams[0]
    gate = th.Gate()
    gate.hold(stream)
    del gate
    gc.collect()
    stream.synchronize()


def test_one_gate_holds_several_streams(streams):
    with th.Gate() as gate:
        for stream in streams:
            gate.hold(stream)
        assert [stream.query() for stream in streams] == [False, False]
    for stream in streams:
        stream.synchronize()


@pytest.mark.parametrize(
    "call",
    [
        lambda handle: th.copy_async(full(0), full(1), handle),
        lambda handle: th.Stream().wait_stream(handle),
        lambda handle: th.Event().record(handle),
        lambda handle: th.Stream().record_event().wait(handle),
        lambda handle: th.Gate().hold(handle),
        lambda handle: th.Timeline().span(handle, "row", "what").__enter__(),
    ],
)
@pytest.mark.parametrize("handle", [0, 4096])
def test_a_handle_is_no_stream_and_is_told_so(call, handle):
    with pytest.raises(
        TypeError, match=r"Expected a trt_helpers.Stream, got int: pass the stream itself, not its hand"
    ):
        call(handle)


def test_what_is_no_stream_at_all_is_told_where_streams_come_from():
    with pytest.raises(TypeError, match=r"got str: make one with trt_helpers.Stream\(\)"):
        th.copy_async(full(0), full(1), "stream")


@pytest.mark.parametrize(("shape", "made"), [(4, (4,)), ((2, 3), (2, 3)), ([2, 3], (2, 3)), (torch.Size([5]), (5,))])
def test_pinned_empty_takes_what_torch_empty_takes(shape, made):
    assert tuple(th.pinned_empty(shape).shape) == made


def test_work_on_pytorchs_current_stream_comes_first(streams):
    stream, target = streams[0], full(0)
    source = torch.full((4,), 5.0, device=th.device)  # on a GPU: enqueued on PyTorch's current stream, perhaps not done
    stream.wait_current()
    th.copy_async(target, source, stream)
    stream.synchronize()
    assert target.tolist() == [5.0] * 4


def test_a_stream_may_be_pytorchs_current_one(streams):
    with streams[0].as_current():
        made = torch.ones(4, device=th.device) * 2
    streams[0].synchronize()
    assert made.tolist() == [2.0] * 4
    if th.device.type == "cuda":
        assert torch.cuda.current_stream() != streams[0].torch_stream
