import pytest

from benchmarks import overlap
from trt_helpers.timeline import Span


def test_shares_of_a_timeline_are_of_its_whole_length():
    spans = [
        Span("tokenise", "tokenise", 0, 4),
        Span("execute", "execute", 2, 6),
        Span("execute", "execute", 5, 8),  # overlaps its own kind: counted once
        Span("copy out", "copy out", 9, 10),
    ]
    found = overlap.shares(spans)
    assert found == {
        "ms": 10,
        "tokenise": 0.4,
        "copy in": 0.0,
        "execute": 0.6,
        "copy out": 0.1,
        "two or more at once": 0.2,
    }


@pytest.mark.slow
def test_everything_is_measured_on_any_device(monkeypatch):
    from benchmarks import rows

    rows.prepare()
    monkeypatch.setattr(overlap, "SIZES", (512, 1024))
    found = overlap.measured(["Paris is the [MASK] of France.", "She went [MASK]."], turns=2, count=40)
    assert found["sentences"] == 40 and len(found["rates"]) == 6
    assert all(0 < rate["low"] <= rate["median"] <= rate["high"] for rate in found["rates"].values())
    assert 0 < found["timeline"]["execute"] <= 1 and found["timeline"]["tokenise"] > 0
