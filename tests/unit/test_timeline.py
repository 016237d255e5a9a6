"""Timelines: spans in the streams' order, and how long two rows were busy at once."""

import io

import pytest
import torch
from PIL import Image

import trt_helpers as th
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


def test_the_picture_is_a_png_with_a_row_for_each_stream():
    one = [Span("A", "copy in", 0.0, 1.0), Span("A", "execute", 1.0, 3.0)]
    two = [*one, Span("B", "copy out", 0.5, 4.0), Span("C", "something else", 0.0, 0.0)]
    small, large = (Image.open(io.BytesIO(th.draw_timeline(spans, {"event": 1.0}))) for spans in (one, two))
    assert small.format == "PNG" and small.width == large.width == 900
    assert large.height > small.height
