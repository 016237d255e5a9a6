"""Checks for the exercises of lesson 4."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import torch

from ...building.plan import Profile
from ...lanes import device, trt
from ...streams import Gate, synchronize_all
from . import held
from .verdicts import NotYet, attempt, engine_of, expect_equal, never_raises, solved, touched

UNWRITTEN, ONES, SEVENS = [0.0] * 4, [1.0] * 4, [7.0] * 4


@never_raises
def check_run_after(run_after: Callable) -> None:
    """Lesson 4, exercise 1: a held producer copies 7 into x; the execution must see it, and Python must not wait."""
    stage, handles = held.Stage(), []
    context = held.Watched(stage.context, handles.append)
    call, early = held.call_while_held(stage, stage.other, run_after, context, stage.stream, stage.other)
    _expect_call(call, early, handles, stage)
    if stage.y.tolist() == [-1.0] * 4:
        raise NotYet("'y' should be -7 four times, it is -1: 'x' was read before the producer had filled it.")
    expect_equal("y", stage.y, torch.full((4,), -7.0, device=device))
    solved("The stream waits for the producer, and Python for nobody.")


@never_raises
def check_run_and_refill(run_and_refill: Callable) -> None:
    """Lesson 4, exercise 2: the execution is held; it must read the old x, which is 7 afterwards."""
    stage, late, handles = held.Stage(), Gate(), []

    def hold(handle: int) -> None:
        """What waits only for the work before the execution is then too early."""
        late.hold(stage.stream)
        handles.append(handle)

    arguments = (held.Watched(stage.context, hold), stage.stream, stage.other, stage.x, stage.new)
    call, early = held.call_while_held(stage, stage.stream, run_and_refill, *arguments, late=late)
    _expect_call(call, early, handles, stage)
    if stage.y.tolist() == UNWRITTEN:
        raise NotYet("'y' was not written: was the execution enqueued?")
    if stage.y.tolist() == [-7.0] * 4:
        raise NotYet("'y' should be -1 four times, it is -7: 'x' was overwritten before the execution had read it.")
    if stage.x.tolist() != SEVENS:
        raise NotYet(f"'x' should hold the new values at the end, 7 four times; it is {stage.x.tolist()}.")
    expect_equal("y", stage.y, torch.full((4,), -1.0, device=device))
    if _copies_elsewhere(run_and_refill):
        raise NotYet("All values are right, but the copy is not on 'copying': 'stream' made it itself.")
    solved("The old input was read, the new one is there, and Python waited for neither.")


def _expect_call(call: held.Call, early: bool, handles: list[int], stage: held.Stage) -> None:
    """Pass only a function that enqueued on the right stream, and did not wait itself."""
    returned = attempt(call.result)
    if stage.y.tolist() == UNWRITTEN:
        touched(returned)
    if any(handle != stage.stream.handle for handle in handles):
        raise NotYet("The execution went to another stream than 'stream'. Let 'stream' run it: stream.handle.")
    if not early:
        raise NotYet("Your function waited for the other stream. Let the stream wait: wait_stream, or wait_event.")


def _copies_elsewhere(run_and_refill: Callable) -> bool:
    """Whether x is refilled while the stream that shall do it is held."""
    stage = held.Stage()
    with Gate() as gate:
        gate.hold(stage.other)
        call = held.Call(run_and_refill, stage.context, stage.stream, stage.other, stage.x, stage.new)
        call.returned(held.WAIT_S)
        held.Call(stage.stream.synchronize).returned(held.WAIT_S)
        refilled = stage.x.tolist() != ONES
    call.join()
    synchronize_all()
    return refilled


# Its output has another name, shape and dtype than anything in the lesson.
_count = engine_of(
    """
    count (float[rows, columns] picture) => (int32[columns, rows] counted) {
        turned = Transpose <perm = [1, 0]> (picture)
        counted = Cast <to = 6> (turned)
    }
    """,
    *[Profile(picture=((1, 1), (4, 4), (64, 64)))] * 2,
)


class _CountedEngine:
    """An engine that counts the executions of its contexts.

    On the CPU the first one waits behind a gate for the second to be enqueued: who waits for it before that, waits in
    vain. (On a GPU the second could have something to load, which may wait for all streams: there it is only counted.)
    """

    def __init__(self, engine: trt.ICudaEngine, gate: Gate) -> None:
        self._engine, self._gate = engine, gate
        self.enqueued, self.two = 0, threading.Event()

    def create_execution_context(self, *arguments: object) -> held.Watched:
        """A context, as of the engine itself."""
        context = self._engine.create_execution_context(*arguments)
        return held.Watched(context, self._hold_the_first, self._count)

    def _hold_the_first(self, stream_handle: int) -> None:
        if self.enqueued == 0 and device.type == "cpu":
            from ...cpu_stream import stream_of

            if (stream := stream_of(stream_handle)) is not None:
                self._gate.hold(stream)

    def _count(self) -> None:
        self.enqueued += 1
        if self.enqueued == 2:  # both go on
            self._gate.open()
            self.two.set()

    def __getitem__(self, index: int) -> str:
        return self._engine[index]

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


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

    call = held.Call(collect)
    if not engine.two.wait(held.WAIT_S):
        at_first[:] = [len(taken), 1]  # it waits for the first result, which is held
    gate.open()
    call.join()
    synchronize_all()  # what nobody waited for may still write to tensors of this check
    attempt(call.result, who="Your generator")
    if results and results[0] is ...:
        touched(results[0])
    _expect_results(pictures, results, *at_first)
    solved("Five results in order, two requests in flight.")


def _expect_results(pictures: list[torch.Tensor], results: list, taken: int = 0, enqueued: int = 0) -> None:
    if len(results) != len(pictures):
        raise NotYet(f"{len(pictures)} inputs went in, {len(results)} outputs came out: is something left in flight?")
    for number, (picture, result) in enumerate(zip(pictures, results, strict=True)):
        where = f"Output {number}, for an input of shape {tuple(picture.shape)}: "
        expect_equal("counted", result, picture.T.to(torch.int32).to(device), where)
    if taken < 2 or enqueued < 2:
        raise NotYet("The results are right, but the first was waited for before the second request was enqueued.")
    if taken > 2:
        raise NotYet(f"The results are right, but {taken} requests were in flight at first, not two.")
