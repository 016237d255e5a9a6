"""What each stream did, and when: spans measured with two events each. Lesson 4 draws them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from .errors import checked_stream
from .streams import Event, Stream, default_stream


class Span(NamedTuple):
    """One piece of work: its row in the picture, its kind, its start and end in ms since the timeline was made."""

    row: str
    what: str
    start_ms: float
    end_ms: float


class Timeline:
    """Collects spans while work is enqueued; the times are there once it is done.

    timeline = th.Timeline()
    with timeline.span(stream, "stream 1", "execute"):
        context.execute_async_v3(stream.handle)
    timeline.spans()

    Made once the default stream has done its work, for which it waits: make it before a gate is held.
    """

    def __init__(self) -> None:
        self._origin = default_stream().record_event()
        self._origin.synchronize()  # streams are not in order: another one's work could start before this is reached
        self._started = time.perf_counter()
        self._recorded: list[tuple[str, str, Event, Event]] = []
        self._on_host: list[Span] = []

    @contextmanager
    def span(self, stream: Stream, row: str, what: str) -> Iterator[None]:
        """What is enqueued on ``stream`` inside the block is one span. Nobody waits for it."""
        checked_stream(stream, Stream)
        start = stream.record_event()
        yield
        self._recorded.append((row, what, start, stream.record_event()))

    @contextmanager
    def host_span(self, what: str) -> Iterator[None]:
        """What the calling thread does inside the block is one span, in a row of that name, by the computer's clock."""
        start = time.perf_counter()
        yield
        start_ms, end_ms = ((at - self._started) * 1000 for at in (start, time.perf_counter()))
        self._on_host.append(Span(what, what, start_ms, end_ms))

    def spans(self) -> list[Span]:
        """Wait for the work, and return its spans in the order of their starts. Work that failed has none."""
        measured = list(self._on_host)
        for row, what, start, end in self._recorded:
            with suppress(Exception):  # told to whoever waits for the work itself
                end.synchronize()
                measured.append(Span(row, what, self._origin.elapsed_time(start), self._origin.elapsed_time(end)))
        return sorted(measured, key=lambda span: span.start_ms)


def overlap_ms(spans: Sequence[Span], what: str = "execute") -> float:
    """For how long two or more spans of this kind ran at once, in ms."""
    steps = [(s.start_ms, 1) for s in spans if s.what == what] + [(s.end_ms, -1) for s in spans if s.what == what]
    total, running, since = 0.0, 0, 0.0
    for at, step in sorted(steps):
        if running >= 2:
            total += at - since
        running, since = running + step, at
    return total
