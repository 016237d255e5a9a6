"""Lesson 4: choose streams, contexts and the size of copies, and see when what ran."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import ipywidgets as widgets
import torch

from ...binding import allocate_outputs, bind, set_input_shapes
from ...execution import execute, synchronize
from ...lanes import device, trt
from ...streams import Gate, Stream, copy_async, pinned_empty, synchronize_all
from ...tensors import io_tensors
from ...timeline import Span, Timeline, overlap_ms
from ..plots import draw_timeline
from . import html
from .contexts import context_on
from .panel import Panel, labelled

REQUESTS = 4  # behind a gate: more executions could fill a GPU's queue, which would wait for ever


# ---- facts --------------------------------------------------------------------------------------------------


def measure_streams(engine: trt.ICudaEngine, streams: int, contexts: int, mebibytes: int) -> list[Span]:
    """Run four requests, each a copy in, an execution and a copy out, and say when each piece ran.

    All of it is enqueued before any of it begins: a GPU can be faster than Python puts work into its queue.

    Parameters:
        engine: has a profile for each context; its inputs are sent at their opt shapes, all zeros.
        streams, contexts: how many take turns. One context on two streams at once is undefined, so there each
            execution waits for an event behind the one before it.
        mebibytes: the size of each copy, of a buffer made for this.

    Raises:
        TensorRTError: an execution is refused, or fails while it runs.
    """
    used = [Stream() for _ in range(streams)]
    buffers = [_buffers(mebibytes) for _ in range(max(streams, contexts))]
    ready = [_ready(engine, profile, used) for profile in range(contexts)]
    timeline, executed = Timeline(), {}
    with Gate() as gate:
        for stream in used:
            gate.hold(stream)
        for number in range(REQUESTS):
            stream, context, (memory, host) = used[number % streams], number % contexts, buffers[number % len(buffers)]
            measured = partial(timeline.span, stream, f"stream {number % streams + 1}")
            with measured("copy in"):
                copy_async(memory, host, stream)
            if context in executed:
                stream.wait_event(executed[context])
            with measured("execute"):
                execute(ready[context][0], stream, ready[context][1])
            executed[context] = stream.record_event()
            with measured("copy out"):
                copy_async(host, memory, stream)
    for stream in used:
        synchronize(stream)
    return sorted(timeline.spans(), key=lambda span: (span.row, span.start_ms))


def _ready(engine: trt.ICudaEngine, profile: int, streams: Sequence[Stream]) -> tuple:
    """A context with its tensors, which has run once on every stream.

    What the first run loads is not to be measured, and behind a gate it could wait for ever.
    """
    context, tensors = context_on(engine, profile), {}
    for name, tensor in io_tensors(engine).items():
        if tensor.is_input:
            shape = tuple(engine.get_tensor_profile_shape(name, profile)[1])
            tensors[name] = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
    set_input_shapes(context, tensors)
    tensors |= allocate_outputs(context)
    bind(context, tensors)
    synchronize_all()  # on a GPU PyTorch has filled inputs and buffers on a stream of its own
    for stream in streams:
        execute(context, stream, tensors)
        synchronize(stream)
    return context, tensors


def _buffers(mebibytes: int) -> tuple[torch.Tensor, torch.Tensor]:
    size = mebibytes * 2**20
    return torch.zeros(size, dtype=torch.uint8, device=device), pinned_empty((size,), torch.uint8).fill_(0)


def explain_streams(streams: int, contexts: int) -> str:
    """What can run at the same time with so many streams and contexts."""
    if streams == 1:
        return "One stream does one thing after the other, however many contexts put work into it."
    if contexts == 1:
        return (
            "One context on two streams at once is undefined, so each execution waits for the event behind the one "
            "before: only copies overlap."
        )
    return "Two contexts on two streams: executions and copies of one overlap with those of the other."


def render_timeline(spans: Sequence[Span], streams: int, contexts: int) -> str:
    """The spans as HTML: what could overlap, for how long two executions did, and a table of all."""
    start, end = min(span.start_ms for span in spans), max(span.end_ms for span in spans)
    facts = f"Two executions at once for {overlap_ms(spans):.2f} ms of {end - start:.2f} ms."
    rows = [(s.row, s.what, f"{s.start_ms - start:.2f} ms", f"{s.end_ms - start:.2f} ms") for s in spans]
    columns = ("stream", "work", "start", "end")
    said = html.status(f"{explain_streams(streams, contexts)} {facts}")
    return f"{said}\n{html.table('What ran when', columns, rows)}"


def draw_streams(spans: Sequence[Span], streams: int, contexts: int) -> bytes:
    """The spans as a picture. Where one context goes from stream to stream, the events that it waits for are marked.

    Returns:
        A PNG. Its facts are in ``render_timeline``; say in its alt text what overlaps.
    """
    ends = sorted(span.end_ms for span in spans if span.what == "execute")
    awaited = ends[:-1] if contexts < streams else []
    return draw_timeline(spans, {f"event {number}": end for number, end in enumerate(awaited, 1)})


# ---- the widget ---------------------------------------------------------------------------------------------


class StreamTimeline(Panel):
    """Choose, and four requests run again and are drawn: the kernel is busy for half a second.

    Parameters:
        engine: has two profiles, one for each context.

    Attributes:
        streams, contexts: one or two.
        mebibytes: the size of each copy, in MiB.
        button: measures again.
        chart: the picture; ``chart.value`` is HTML, an image with its text.
    """

    title = "Stream timeline"

    def __init__(self, engine: trt.ICudaEngine) -> None:
        self._engine = engine
        self.streams = labelled(widgets.Dropdown, "streams", options=[1, 2], value=2)
        self.contexts = labelled(widgets.Dropdown, "contexts", options=[1, 2], value=2)
        self.mebibytes = labelled(widgets.Dropdown, "MiB in each copy", options=[1, 16, 64], value=16)
        self.button = widgets.Button(description="Measure again")
        self.button.on_click(self.refresh)
        self.chart = widgets.HTML()
        super().__init__([self.streams, self.contexts, self.mebibytes, self.button], self.chart)

    def render(self) -> str:
        """Measure, draw, and describe."""
        self.chart.value = ""
        streams, contexts = self.streams.value, self.contexts.value
        spans = measure_streams(self._engine, streams, contexts, self.mebibytes.value)
        alt = f"Timeline of {REQUESTS} requests. {explain_streams(streams, contexts)} The table below has all times."
        self.chart.value = html.picture(draw_streams(spans, streams, contexts), alt)
        return render_timeline(spans, streams, contexts)
