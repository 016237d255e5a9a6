"""Races that are decided: streams are held by gates, so that who does not wait loses, given the time to run ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from ...binding import bind
from ...building.plan import Profile
from ...execution import infer
from ...lanes import device, trt
from ...streams import Gate, Stream, copy_async, default_stream, pinned_empty, synchronize_all
from .verdicts import engine_of

WAIT_S = 5.0  # how long a function may take that has nothing to wait for, on a machine that is busy
GRACE_S = 0.3  # how long a stream may take that has nothing to wait for

_negate = engine_of("negate (float[n] x) => (float[n] y) { y = Neg(x) }", Profile(x=((4,), (4,), (4,))))


class Stage:
    """A context for y = -x, its tensors and two streams, all of them warm: while one is held nothing is loaded.

    Attributes:
        x, y: four ones, and four zeros that an execution overwrites.
        new: four sevens in pinned memory.
    """

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


class Watched:
    """A context that calls ``before(stream_handle)`` ahead of each execution, and ``after()`` once it is enqueued."""

    def __init__(self, context: trt.IExecutionContext, before: Callable, after: Callable = lambda: None) -> None:
        self._context, self._before, self._after = context, before, after

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue, between the two calls."""
        self._before(stream_handle)
        accepted = self._context.execute_async_v3(stream_handle)
        self._after()
        return accepted

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)


class Call:
    """The learner's function in a thread of its own: one that waits for a held stream must not hang the check."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self._value: object = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Callable, arguments: tuple) -> None:
        try:
            self._value = function(*arguments)
        except Exception as error:
            self._error = error

    def returned(self, seconds: float) -> bool:
        """Whether it has returned, or raised, by then."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for it, once nothing is held any more."""
        self._thread.join()

    def result(self) -> object:
        """What it returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value


def call_while_held(
    stage: Stage, held: Stream, function: Callable, *arguments: object, late: Gate | None = None
) -> tuple[Call, bool]:
    """Call the function while a stream is held; whether it returned nevertheless. Then let the stream go on.

    The other stream gets the time to go ahead, if nothing holds it back: so that it loses the race that it should
    not have run. It gets it once more while only executions are held, if they have a gate, ``late``.
    """
    free = stage.stream if held is stage.other else stage.other
    with Gate() as gate:
        gate.hold(held)
        if held is stage.other:
            copy_async(stage.x, stage.new, held)
        call = Call(function, *arguments)
        early = call.returned(WAIT_S)
        Call(free.synchronize).returned(GRACE_S)
    if late is not None:
        Call(free.synchronize).returned(GRACE_S)
        late.open()
    call.join()
    synchronize_all()
    return call, early
