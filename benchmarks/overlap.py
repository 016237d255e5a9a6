"""On a GPU: how much of tokenising, copying and executing goes on at the same time, and what it brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice

import trt_helpers as th
from trt_helpers.decoding.model import load_tokenizer
from trt_helpers.decoding.tokenizer import BulkTokenizer
from trt_helpers.timeline import Span

from . import rows, timing

SENTENCES = 40_000  # ten windows of the decoder
SIZES = (4096, 8192, 16384, 32768)
KINDS = ("tokenise", "copy in", "execute", "copy out")


def measured(few: Sequence[str], turns: int, count: int = SENTENCES) -> dict:
    """Rates over many sentences, ``few`` of them again and again, all in the same turns; and one timeline.

    Rates are in sentences a second: the two tokenisers alone, the decoder one batch at a time, and overlapping, for
    several sizes of a batch.
    """
    sentences = list(islice(cycle(few), count))
    tokenizer, plan = load_tokenizer(), rows.files()["plan"]
    bulk = BulkTokenizer(tokenizer, rows.LONGEST)
    sides: dict[str, Callable[[], object]] = {
        "tokenizer of transformers alone": lambda: tokenizer(sentences),
        "`BulkTokenizer` alone": lambda: bulk.problems_and_ids(sentences),
    }
    by_size = {size: th.MaskedWordDecoder.from_plan(plan, tokens=size) for size in SIZES}
    default = th.MaskedWordDecoder.from_plan(plan)
    one = th.MaskedWordDecoder.from_plan(plan, in_flight=1)
    sides |= {f"decoder, batches of {size} tokens": _run(decoder, sentences) for size, decoder in by_size.items()}
    sides |= {"decoder, one batch at a time": _run(one, sentences), "decoder": _run(default, sentences)}
    for side in sides.values():
        side()
    rates = {name: [count / s for s in seconds] for name, seconds in timing.interleaved(sides, turns).items()}
    default.timeline = th.Timeline()
    _run(default, sentences)()
    return {
        "sentences": count,
        "rates": {name: timing.spread(rate) for name, rate in rates.items()},
        "of the tokenizer's rate": timing.spread(
            [a / b for a, b in zip(rates["decoder"], rates["tokenizer of transformers alone"], strict=True)]
        ),
        "timeline": shares(default.timeline.spans()),
    }


def _run(decoder: th.MaskedWordDecoder, sentences: list[str]) -> Callable[[], object]:
    return lambda: decoder(sentences, rows.TOP_K, progress=False)


def shares(spans: Sequence[Span]) -> dict[str, float]:
    """Of the time from first to last span: in how much of it each kind of work was going on, and two kinds or more."""
    begin, end = min(s.start_ms for s in spans), max(s.end_ms for s in spans)
    kinds = {kind: _merged([s for s in spans if s.what == kind]) for kind in KINDS}
    busy = {kind: sum(b - a for a, b in merged) / (end - begin) for kind, merged in kinds.items()}
    steps = sorted(step for merged in kinds.values() for a, b in merged for step in ((a, 1), (b, -1)))
    together, running, since = 0.0, 0, begin
    for at, step in steps:
        together += at - since if running >= 2 else 0.0
        running, since = running + step, at
    return {"ms": end - begin, **busy, "two or more at once": together / (end - begin)}


def _merged(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """Intervals in which at least one of the spans was going on."""
    found: list[tuple[float, float]] = []
    for span in sorted(spans, key=lambda s: s.start_ms):
        if found and span.start_ms <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], span.end_ms))
        else:
            found.append((span.start_ms, span.end_ms))
    return found
