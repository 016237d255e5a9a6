"""Checks for the exercises of lesson 7."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ...lanes import trt
from ...streams import Gate, Stream, synchronize_all
from .held import Stage, Watched
from .verdicts import NotYet, answer, never_raises, solved

HELD_MS = 300.0  # how long the stream is held, so that a wrong clock is certainly found out

# Layers, vocabulary, tokens, asked; and the operations, multiplied out by hand.
_COUNTS = [((10, 7, 3, 1), 74), ((10, 7, 3, 3), 102), ((1000, 0, 50, 2), 100_000), ((0, 500, 9, 4), 4000)]


@never_raises
def check_operations(operations: Callable[[int, int, int, int], int]) -> None:
    """Lesson 7, exercise 1: operations of a batch, compared with figures multiplied out by hand."""
    for (layers, vocabulary, tokens, asked), expected in _COUNTS:
        facts = f"{layers} and {vocabulary} weights, {tokens} tokens, {asked} asked about"
        got = answer(operations, layers, vocabulary, tokens, asked, who=f"For {facts} your function")
        if got != expected:
            why = _why(got, layers, vocabulary, tokens, asked)
            raise NotYet(f"For {facts}: expected {expected:,}, got {got!r}. {why}")
    solved("You can say what a change is worth before you make it.")


def _why(got: object, layers: int, vocabulary: int, tokens: int, asked: int) -> str:
    if got == layers * tokens + vocabulary * asked:
        return "Each weight needs two operations, a multiplication and an addition."
    if got == 2 * tokens * (layers + vocabulary):
        return "Only the tokens asked about meet the vocabulary's weights."
    return "Two operations for every weight and every token that meets it."


@never_raises
def check_time_ms(time_ms: Callable[[trt.IExecutionContext, Stream], float]) -> None:
    """Lesson 7, exercise 2: a held stream shows whether the clock waits for the work, and for the work only."""
    stage = Stage()
    try:
        _hold(stage.stream)  # older work
        before = answer(time_ms, stage.context, stage.stream)
        slow = Watched(stage.context, lambda _: _hold(stage.stream))  # an execution that takes its time
        during = answer(time_ms, slow, stage.stream)
    finally:
        synchronize_all()
    for got in (before, during):
        if isinstance(got, bool) or not isinstance(got, int | float):
            raise NotYet(f"Expected the milliseconds as a number, got {type(got).__name__}.")
    if stage.y.tolist() != [-1.0] * 4:
        raise NotYet("'y' was not written: was the execution enqueued, on this stream?")
    if during < HELD_MS * 0.9:
        asked = "Was it done when the clock stopped? And are these milliseconds?"
        raise NotYet(f"An execution took at least {HELD_MS:.0f} ms, you say {during:.3f}. {asked}")
    if before >= HELD_MS * 0.9:
        raise NotYet(f"Work that was on the stream before was counted, too: {before:.0f} ms. Wait before you start.")
    solved("Your clock waits for the work, and for nothing else.")


def _hold(stream: Stream) -> None:
    """Put work on the stream that takes ``HELD_MS``."""
    gate = Gate()
    gate.hold(stream)
    threading.Timer(HELD_MS / 1000, gate.open).start()


_LENGTHS = [9, 51, 23, 9, 37, 12, 40, 23, 9, 9, 51, 30]
_MOST = 100


@never_raises
def check_make_batches(make_batches: Callable[[list[int], int], list[list[int]]]) -> None:
    """Lesson 7, exercise 3: every text once, no batch too large, and as little padding as sorting allows."""
    batches = answer(make_batches, list(_LENGTHS), _MOST)
    if not isinstance(batches, list | tuple) or not all(isinstance(batch, list | tuple) for batch in batches):
        raise NotYet(f"Expected a list of lists of indices, got {batches!r}.")
    _expect_batches([list(batch) for batch in batches if len(batch)])
    solved("Every text once, and hardly any padding.")


def _expect_batches(batches: list[list[int]]) -> None:
    """Pass only batches in which every text above comes once, with as little padding as sorting allows."""
    found = sorted(index for batch in batches for index in batch)
    if found != list(range(len(_LENGTHS))):
        raise NotYet(f"Each of the indices 0 to {len(_LENGTHS) - 1} should come once; in order, yours are {found}.")
    sizes = [len(batch) * max(_LENGTHS[i] for i in batch) for batch in batches]
    for batch, size in zip(batches, sizes, strict=True):
        if size > _MOST and len(batch) > 1:
            has = f"The batch with lengths {[_LENGTHS[i] for i in batch]} has {size} tokens with its padding"
            raise NotYet(f"{has}, at most {_MOST} are allowed.")
    if sum(sizes) > _fewest():
        raise NotYet(f"{sum(sizes)} tokens are computed, {_fewest()} would do: put texts of similar length together.")


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
