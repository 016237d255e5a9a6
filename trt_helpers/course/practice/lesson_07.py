"""Checks for the exercises of lesson 7."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

import torch

from ...engine import Profile
from ...execution import bind, infer
from ...lanes import device, trt
from ...streams import Gate, Stream, default_stream, synchronize_all
from .verdicts import build_engine, never_raises, not_yet, solved, untouched

HELD_MS = 300.0  # how long the stream is held, so that a wrong clock is certainly found out

# Layers, vocabulary, tokens, asked; and the operations, multiplied out by hand.
_COUNTS = [((10, 7, 3, 1), 74), ((10, 7, 3, 3), 102), ((1000, 0, 50, 2), 100_000), ((0, 500, 9, 4), 4000)]


@never_raises
def check_operations(operations: Callable[[int, int, int, int], int]) -> None:
    """Lesson 7, exercise 1: operations of a batch, compared with figures multiplied out by hand."""
    for (layers, vocabulary, tokens, asked), expected in _COUNTS:
        facts = f"{layers} and {vocabulary} weights, {tokens} tokens, {asked} asked about"
        try:
            got = operations(layers, vocabulary, tokens, asked)
        except Exception as error:
            return not_yet(f"For {facts} your function raised {type(error).__name__}: {error}")
        if untouched(got):
            return None
        if got != expected:
            return not_yet(
                f"For {facts}: expected {expected:,}, got {got!r}. {_why(got, layers, vocabulary, tokens, asked)}"
            )
    return solved("You can say what a change is worth before you make it.")


def _why(got: object, layers: int, vocabulary: int, tokens: int, asked: int) -> str:
    if got == layers * tokens + vocabulary * asked:
        return "Each weight needs two operations, a multiplication and an addition."
    if got == 2 * tokens * (layers + vocabulary):
        return "Only the tokens asked about meet the vocabulary's weights."
    return "Two operations for every weight and every token that meets it."


_NEGATE = """
    <ir_version: 10, opset_import: ["": 20]>
    negate (float[n] x) => (float[n] y) { y = Neg(x) }
"""


@cache
def _negate() -> trt.ICudaEngine:
    return build_engine(_NEGATE, [Profile(x=((1,), (4,), (4,)))])


@never_raises
def check_time_ms(time_ms: Callable[[trt.IExecutionContext, Stream], float]) -> None:
    """Lesson 7, exercise 2: a held stream shows whether the clock waits for the work, and for the work only."""
    context, stream = _negate().create_execution_context(), Stream()
    tensors = {"x": torch.ones(4, device=device), "y": torch.zeros(4, device=device)}
    infer(context, {"x": tensors["x"]}, {"y": tensors["y"]}, stream)
    tensors["y"].fill_(0)
    default_stream().synchronize()  # on a GPU PyTorch has filled it on its own stream
    bind(context, tensors)
    try:
        before = _timed_while_held(time_ms, context, stream, hold_now=True)
        during = _timed_while_held(time_ms, context, stream, hold_now=False)
    except Exception as error:
        return not_yet(f"Your function raised {type(error).__name__}: {error}")
    finally:
        synchronize_all()
    if untouched(before):
        return None
    for got in (before, during):
        if isinstance(got, bool) or not isinstance(got, int | float):
            return not_yet(f"Expected the milliseconds as a number, got {type(got).__name__}.")
    return _judge_times(before, during, executed=tensors["y"].tolist() == [-1.0] * 4)


class _SlowToEnd:
    """A context whose execution takes at least ``HELD_MS``: it is followed by a gate that opens only then."""

    def __init__(self, context: trt.IExecutionContext, stream: Stream) -> None:
        self._context, self._stream = context, stream

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue, behind a gate that opens after ``HELD_MS``."""
        _hold(self._stream)
        return self._context.execute_async_v3(stream_handle)


def _hold(stream: Stream) -> None:
    gate = Gate()
    gate.hold(stream)
    threading.Timer(HELD_MS / 1000, gate.open).start()


def _timed_while_held(time_ms: Callable, context: trt.IExecutionContext, stream: Stream, hold_now: bool) -> object:
    """What the learner's clock says: with older work before its own, or with slow work of its own."""
    if hold_now:
        _hold(stream)
        return time_ms(context, stream)
    return time_ms(_SlowToEnd(context, stream), stream)


def _judge_times(before: float, during: float, executed: bool) -> None:
    if not executed:
        return not_yet("'y' was not written: was the execution enqueued, on this stream?")
    if during < HELD_MS * 0.9:
        asked = "Was it done when the clock stopped? And are these milliseconds?"
        return not_yet(f"An execution took at least {HELD_MS:.0f} ms, you say {during:.3f}. {asked}")
    if before >= HELD_MS * 0.9:
        return not_yet(f"Work that was on the stream before was counted, too: {before:.0f} ms. Wait before you start.")
    return solved("Your clock waits for the work, and for nothing else.")


_LENGTHS = [9, 51, 23, 9, 37, 12, 40, 23, 9, 9, 51, 30]
_MOST = 100


@never_raises
def check_make_batches(make_batches: Callable[[list[int], int], list[list[int]]]) -> None:
    """Lesson 7, exercise 3: every text once, no batch too large, and as little padding as sorting allows."""
    try:
        batches = make_batches(list(_LENGTHS), _MOST)
    except Exception as error:
        return not_yet(f"Your function raised {type(error).__name__}: {error}")
    if untouched(batches):
        return None
    if not isinstance(batches, list | tuple) or not all(isinstance(batch, list | tuple) for batch in batches):
        return not_yet(f"Expected a list of lists of indices, got {batches!r}.")
    if problem := _wrong_batches([list(batch) for batch in batches if len(batch)]):
        return not_yet(problem)
    return solved("Every text once, and hardly any padding.")


def _wrong_batches(batches: list[list[int]]) -> str:
    """What is wrong with batches of the texts above; empty if nothing is."""
    found = sorted(index for batch in batches for index in batch)
    if found != list(range(len(_LENGTHS))):
        return f"Each of the indices 0 to {len(_LENGTHS) - 1} should come once; in order, yours are {found}."
    sizes = [len(batch) * max(_LENGTHS[i] for i in batch) for batch in batches]
    for batch, size in zip(batches, sizes, strict=True):
        if size > _MOST and len(batch) > 1:
            lengths = [_LENGTHS[i] for i in batch]
            return f"The batch with lengths {lengths} has {size} tokens with its padding, at most {_MOST} are allowed."
    if sum(sizes) > _fewest():
        return f"{sum(sizes)} tokens are computed, {_fewest()} would do: put texts of similar length together."
    return ""


def _fewest() -> int:
    """Tokens that sorted batches have, filled from the shortest text or from the longest: the larger of the two."""
    totals = []
    for lengths in (sorted(_LENGTHS), sorted(_LENGTHS, reverse=True)):
        batches: list[list[int]] = [[]]
        for length in lengths:
            if (len(batches[-1]) + 1) * max([length, *batches[-1]]) > _MOST:
                batches.append([])
            batches[-1].append(length)
        totals.append(sum(len(batch) * max(batch) for batch in batches))
    return max(totals)
