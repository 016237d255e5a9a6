"""Checks for the exercises of lesson 4. Gates decide the races: who does not wait loses, given ``GRACE_S`` to run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import torch

from ...engine import Profile
from ...execution import bind, infer
from ...lanes import device, trt
from ...streams import Gate, Stream, copy_async, default_stream, pinned_empty, synchronize_all
from .verdicts import build_engine, never_raises, not_yet, solved, untouched, what_differs

WAIT_S = 5.0  # how long a function may take that has nothing to wait for, on a machine that is busy
GRACE_S = 0.3  # how long a stream may take that has nothing to wait for

_NEGATE = """
    <ir_version: 10, opset_import: ["": 20]>
    negate (float[n] x) => (float[n] y) { y = Neg(x) }
"""
# Its output has another name, shape and dtype than anything in the lesson.
_COUNT = """
    <ir_version: 10, opset_import: ["": 20]>
    count (float[rows, columns] picture) => (int32[columns, rows] counted) {
        turned = Transpose <perm = [1, 0]> (picture)
        counted = Cast <to = 6> (turned)
    }
"""


@cache
def _negate() -> trt.ICudaEngine:
    return build_engine(_NEGATE, [Profile(x=((4,), (4,), (4,)))])


@cache
def _count() -> trt.ICudaEngine:
    return build_engine(_COUNT, [Profile(picture=((1, 1), (4, 4), (64, 64)))] * 2)


class _Stage:
    """A context with its tensors and two streams, all of them warm: nothing has to be loaded while one is held."""

    def __init__(self) -> None:
        self.context, self.stream, self.other = _negate().create_execution_context(), Stream(), Stream()
        self.x, self.y = torch.ones(4, device=device), torch.zeros(4, device=device)
        self.new = pinned_empty((4,)).fill_(7)
        for stream in (self.stream, self.other):
            infer(self.context, {"x": self.x}, {"y": self.y}, stream)
            copy_async(self.x, self.new, stream)
            stream.synchronize()
        self.x.fill_(1)
        self.y.fill_(0)
        default_stream().synchronize()  # on a GPU PyTorch has filled them on its own stream
        bind(self.context, {"x": self.x, "y": self.y})


class _Call:
    """The learner's function in a thread of its own: one that waits for a held stream must not hang the check."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.value: object = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Callable, arguments: tuple) -> None:
        try:
            self.value = function(*arguments)
        except Exception as error:
            self.error = error

    def returned(self, seconds: float) -> bool:
        """Whether it has returned, or raised, by then."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for it, once nothing is held any more."""
        self._thread.join()


class _Noted:
    """A context that notes on which streams it is executed."""

    def __init__(self, context: trt.IExecutionContext) -> None:
        self._context = context
        self.handles: list[int] = []

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue, and note where."""
        self.handles.append(stream_handle)
        return self._context.execute_async_v3(stream_handle)

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)


class _Late(_Noted):
    """A context whose executions wait behind a gate: what waits only for the work before them is then too early."""

    def __init__(self, context: trt.IExecutionContext, stream: Stream, gate: Gate) -> None:
        super().__init__(context)
        self._stream, self._gate = stream, gate

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue, behind the gate."""
        self._gate.hold(self._stream)
        return super().execute_async_v3(stream_handle)


class _CountedEngine:
    """An engine that counts the executions of its contexts.

    On the CPU the first one waits behind a gate for the second to be enqueued: who waits for it before that, waits in
    vain. (On a GPU the second could have something to load, which may wait for all streams: there it is only counted.)
    """

    def __init__(self, engine: trt.ICudaEngine, gate: Gate) -> None:
        self._engine, self._gate = engine, gate
        self.enqueued, self.two = 0, threading.Event()

    def create_execution_context(self, *arguments: object) -> _CountedContext:
        """A context, as of the engine itself."""
        return _CountedContext(self._engine.create_execution_context(*arguments), self)

    def before_execution(self, stream_handle: int) -> None:
        """Hold the stream of the first execution."""
        if self.enqueued == 0 and device.type == "cpu":
            from ...cpu_stream import stream_of

            if (stream := stream_of(stream_handle)) is not None:
                self._gate.hold(stream)

    def after_execution(self) -> None:
        """With the second one enqueued, both go on."""
        self.enqueued += 1
        if self.enqueued == 2:
            self._gate.open()
            self.two.set()

    def __getitem__(self, index: int) -> str:
        return self._engine[index]

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


class _CountedContext:
    def __init__(self, context: trt.IExecutionContext, counts: _CountedEngine) -> None:
        self._context, self._counts = context, counts

    def execute_async_v3(self, stream_handle: int) -> bool:
        self._counts.before_execution(stream_handle)
        accepted = self._context.execute_async_v3(stream_handle)
        self._counts.after_execution()
        return accepted

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)


def _held(
    stage: _Stage, held: Stream, function: Callable, *arguments: object, late: Gate | None = None
) -> tuple[_Call, bool]:
    """Call the function while a stream is held; whether it returned nevertheless. Then let the stream go on.

    The other stream gets the time to go ahead, if nothing holds it back: so that it loses the race that it should
    not have run. It gets it once more while only executions are held, if they have a gate, ``late``.
    """
    free = stage.stream if held is stage.other else stage.other
    with Gate() as gate:
        gate.hold(held)
        if held is stage.other:
            copy_async(stage.x, stage.new, held)
        call = _Call(function, *arguments)
        early = call.returned(WAIT_S)
        _Call(free.synchronize).returned(GRACE_S)
    if late is not None:
        _Call(free.synchronize).returned(GRACE_S)
        late.open()
    call.join()
    synchronize_all()
    return call, early


def _problem_with_call(call: _Call, early: bool, context: _Noted, stage: _Stage) -> str:
    if call.error is not None:
        return f"Your function raised {type(call.error).__name__}: {call.error}"
    if any(handle != stage.stream.handle for handle in context.handles):
        return "The execution went to another stream than 'stream'. Let 'stream' run it: stream.handle."
    if not early:
        return "Your function waited for the other stream. Let the stream wait: wait_stream, or wait_event."
    return ""


@never_raises
def check_run_after(run_after: Callable) -> None:
    """Lesson 4, exercise 1: a held producer copies 7 into x; the execution must see it, and Python must not wait."""
    stage = _Stage()
    context = _Noted(stage.context)
    call, early = _held(stage, stage.other, run_after, context, stage.stream, stage.other)
    if call.error is None and stage.y.tolist() == [0.0] * 4 and untouched(call.value):
        return None
    if problem := _problem_with_call(call, early, context, stage):
        return not_yet(problem)
    if stage.y.tolist() == [-1.0] * 4:
        return not_yet("'y' should be -7 four times, it is -1: 'x' was read before the producer had filled it.")
    if problem := what_differs("y", stage.y, torch.full((4,), -7.0, device=device)):
        return not_yet(problem)
    return solved("The stream waits for the producer, and Python for nobody.")


@never_raises
def check_run_and_refill(run_and_refill: Callable) -> None:
    """Lesson 4, exercise 2: the execution is held; it must read the old x, which is 7 afterwards."""
    stage, late = _Stage(), Gate()
    context = _Late(stage.context, stage.stream, late)
    arguments = (context, stage.stream, stage.other, stage.x, stage.new)
    call, early = _held(stage, stage.stream, run_and_refill, *arguments, late=late)
    if call.error is None and stage.y.tolist() == [0.0] * 4 and untouched(call.value):
        return None
    if problem := _problem_with_call(call, early, context, stage):
        return not_yet(problem)
    if stage.y.tolist() == [0.0] * 4:
        return not_yet("'y' was not written: was the execution enqueued?")
    if stage.y.tolist() == [-7.0] * 4:
        return not_yet("'y' should be -1 four times, it is -7: 'x' was overwritten before the execution had read it.")
    if stage.x.tolist() != [7.0] * 4:
        return not_yet(f"'x' should hold the new values at the end, 7 four times; it is {stage.x.tolist()}.")
    if problem := what_differs("y", stage.y, torch.full((4,), -1.0, device=device)):
        return not_yet(problem)
    if _copies_elsewhere(run_and_refill):
        return not_yet("All values are right, but the copy is not on 'copying': 'stream' made it itself.")
    return solved("The old input was read, the new one is there, and Python waited for neither.")


def _copies_elsewhere(run_and_refill: Callable) -> bool:
    """Whether x is refilled while the stream that shall do it is held."""
    stage = _Stage()
    with Gate() as gate:
        gate.hold(stage.other)
        call = _Call(run_and_refill, stage.context, stage.stream, stage.other, stage.x, stage.new)
        call.returned(WAIT_S)
        _Call(stage.stream.synchronize).returned(WAIT_S)
        refilled = stage.x.tolist() != [1.0] * 4
    call.join()
    synchronize_all()
    return refilled


@never_raises
def check_two_at_a_time(two_at_a_time: Callable[[trt.ICudaEngine, Iterable[torch.Tensor]], Iterator]) -> None:
    """Lesson 4, exercise 3: outputs in order, compared with PyTorch; two enqueued before the first is handed out."""
    pictures = [torch.arange(float(rows * 3)).reshape(rows, 3) + rows for rows in (5, 1, 4, 2, 3)]
    taken: list[torch.Tensor] = []

    def source() -> Iterator[torch.Tensor]:
        for picture in pictures:
            taken.append(picture.to(device))
            yield taken[-1]

    results: list = []
    at_first: list[int] = []  # how many were taken, and enqueued, when the first result came
    gate = Gate()
    engine = _CountedEngine(_count(), gate)

    def collect() -> None:
        try:
            for result in two_at_a_time(engine, source()):
                results.append(result)
                at_first[:] = at_first or [len(taken), engine.enqueued]
        finally:
            engine.two.set()  # there will be no second one

    call = _Call(collect)
    if not engine.two.wait(WAIT_S):
        at_first[:] = [len(taken), 1]  # it waits for the first result, which is held
    gate.open()
    call.join()
    synchronize_all()  # what nobody waited for may still write to tensors of this check
    if call.error is not None:
        return not_yet(f"Your generator raised {type(call.error).__name__}: {call.error}")
    if results and results[0] is ... and untouched(results[0]):
        return None
    return _judge(pictures, results, *at_first)


def _judge(pictures: list[torch.Tensor], results: list, taken: int = 0, enqueued: int = 0) -> None:
    if len(results) != len(pictures):
        return not_yet(f"{len(pictures)} inputs went in, {len(results)} outputs came out: is something left in flight?")
    for number, (picture, result) in enumerate(zip(pictures, results, strict=True)):
        expected = picture.T.to(torch.int32).to(device)
        if problem := what_differs("counted", result, expected):
            return not_yet(f"Output {number}, for an input of shape {tuple(picture.shape)}: {problem}")
    if taken < 2 or enqueued < 2:
        return not_yet("The results are right, but the first was waited for before the second request was enqueued.")
    if taken > 2:
        return not_yet(f"The results are right, but {taken} requests were in flight at first, not two.")
    return solved("Five results in order, two requests in flight.")
