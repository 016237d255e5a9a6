"""Timelines: spans in the streams' order, and how long two rows were busy at once."""

import io

import pytest
import torch
from matplotlib.colors import same_color
from PIL import Image

import trt_helpers as th
from trt_helpers import course
from trt_helpers.course import plots
from trt_helpers.timeline import Span


def test_spans_are_measured_in_the_streams_order():
    timeline, stream = th.Timeline(), th.Stream()
    with th.Gate() as gate:
        gate.hold(stream)
        for what in ("copy in", "execute"):
            with timeline.span(stream, "A", what):
                th.copy_async(torch.zeros(4), torch.ones(4), stream)
    first, second = timeline.spans()
    assert (first.row, first.what, second.what) == ("A", "copy in", "execute")
    assert 0 <= first.start_ms <= first.end_ms <= second.start_ms <= second.end_ms


def test_nothing_starts_before_its_timeline():
    """The origin is on another stream, which might come to it late. Without a wait, about one in three would fail."""
    stream = th.Stream()
    for _ in range(100):
        timeline = th.Timeline()
        with timeline.span(stream, "A", "execute"):
            stream.enqueue(lambda: None)
        assert timeline.spans()[0].start_ms >= 0


@pytest.mark.skipif(th.device.type != "cpu", reason="CUDA's events carry no errors")
def test_work_that_failed_has_no_span():
    timeline, stream = th.Timeline(), th.Stream()
    with timeline.span(stream, "A", "execute"):
        stream.enqueue(lambda: None)
    with timeline.span(stream, "A", "copy out"):
        stream.enqueue(lambda: 1 / 0)
    assert [span.what for span in timeline.spans()] == ["execute"]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(0, 10), (10, 20)], 0),
        ([(0, 10), (5, 20)], 5),
        ([(0, 10), (2, 4), (6, 8)], 4),
        ([(0, 10), (0, 10), (0, 10)], 10),
        ([(0, 10)], 0),
        ([], 0),
    ],
)
def test_overlap(times, expected):
    spans = [Span(f"row {i}", "execute", *map(float, pair)) for i, pair in enumerate(times)]
    assert th.overlap_ms(spans) == expected
    assert th.overlap_ms(spans, "copy in") == 0


# ---- the picture --------------------------------------------------------------------------------------------

SPANS = [
    Span("stream 2", "copy in", 5.0, 5.001),
    Span("stream 2", "execute", 5.001, 60.0),
    Span("stream 2", "copy out", 60.0, 60.0),
    Span("stream 10", "execute", 30.0, 105.0),
    Span("stream 10", "decode", 105.0, 105.0),
]
EVENTS = {"late": 104.0, "one": 60.0, "another": 60.0}


@pytest.fixture
def figure():
    drawn = plots._timeline_figure(SPANS, EVENTS)
    drawn.draw_without_rendering()
    return drawn


def texts_of(figure) -> list:
    """Every text that is drawn: ticks, axis label, events, legend."""
    ax, (legend,) = figure.axes[0], figure.legends
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticklabels() if low <= tick.get_position()[0] <= high]
    labels = [*ticks, *ax.get_yticklabels(), ax.xaxis.label, *ax.texts, *legend.get_texts()]
    return [label for label in labels if label.get_text()]


def test_the_picture_is_a_png_with_a_row_for_each_stream_on_its_own_background():
    one = [Span("A", "copy in", 0.0, 1.0), Span("A", "execute", 1.0, 3.0)]
    two = [*one, Span("B", "copy out", 0.5, 4.0), Span("C", "something else", 0.0, 0.0)]
    small, large = (Image.open(io.BytesIO(course.draw_timeline(spans))) for spans in (one, two))
    assert small.format == "PNG" and small.width == large.width == 900
    assert large.height > small.height
    pixels = large.convert("RGBA")
    assert pixels.getpixel((0, 0)) == (255, 255, 255, 255) and pixels.getextrema()[3] == (255, 255)


def test_a_single_span_without_a_duration_can_be_drawn():
    assert Image.open(io.BytesIO(course.draw_timeline([Span("A", "execute", 1.0, 1.0)], {"here": 1.0}))).width == 900


def test_no_text_of_the_picture_is_small_cut_off_or_on_another(figure):
    texts = texts_of(figure)
    assert min(text.get_fontsize() for text in texts) >= 9
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    edge = figure.bbox
    for name, box in boxes:
        assert edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 and box.y1 <= edge.y1, name
    assert [(a, b) for i, (a, box) in enumerate(boxes) for b, other in boxes[:i] if box.overlaps(other)] == []


def test_the_rows_are_in_the_order_in_which_people_count(figure):
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["stream 2", "stream 10"]


def test_the_shortest_spans_are_seen_in_front_of_long_ones_and_stick_out(figure):
    copy_in, execute, copy_out, _, decode = figure.axes[0].patches
    assert all(bar.get_window_extent().width >= 3 for bar in (copy_in, copy_out, decode))
    assert min(copy_in.zorder, copy_out.zorder) > execute.zorder
    inner, above, below = (bar.get_window_extent() for bar in (execute, copy_in, copy_out))
    assert above.y1 > inner.y1 + 5 and above.y0 == pytest.approx(inner.y0)
    assert below.y0 < inner.y0 - 5 and below.y1 == pytest.approx(inner.y1)


def test_kinds_are_told_apart_without_colour_and_the_legend_looks_like_the_bars(figure):
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["copy in", "execute", "copy out", "decode"], "in the order of the work, others behind it"
    samples = dict(zip(names, legend.get_patches(), strict=True))
    assert len({sample.get_hatch() for sample in samples.values()}) == 4
    for span, bar in zip(SPANS, figure.axes[0].patches, strict=True):
        assert bar.get_hatch() == samples[span.what].get_hatch()
        assert same_color(bar.get_facecolor(), samples[span.what].get_facecolor())


def test_every_event_has_a_line_and_a_name(figure):
    ax = figure.axes[0]
    assert sorted(line.get_xdata()[0] for line in ax.lines) == [55.0, 55.0, 99.0], "ms since the first span began"
    assert sorted(text.get_text() for text in ax.texts) == ["another", "late", "one"]
