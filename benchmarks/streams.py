"""What streams buy: two contexts against one, a pipeline against one request after the other, pinned memory.

    python benchmarks/streams.py [--json FILE]

All variants of a comparison run in turns, so that whatever else the machine does falls on all. Printed are medians
over the rounds, and the median of each round's ratio. It asserts nothing. On the CPU every execution has one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TRT_HELPERS_THREADS", "1")  # read when an engine is loaded

import torch  # noqa: E402

import trt_helpers as th  # noqa: E402
from trt_helpers.decoding.model import INPUTS  # noqa: E402

ON_GPU = th.device.type == "cuda"
ROUNDS = 9 if ON_GPU else 5
# For the timeline. A GPU has done 8 rows before Python has enqueued the next request, so nothing could overlap; the
# four requests in flight have 1 GB of logits each, on the GPU and in pinned memory.
FULL_BATCH = 64 if ON_GPU else 8


@dataclass
class Row:
    """One variant of a comparison: its median time and spread in ms, and how many times faster than the first."""

    comparison: str
    variant: str
    median_ms: float
    quartiles_ms: tuple[float, float]
    ratio: float


def compare(comparison: str, variants: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> list[Row]:
    """Time all variants in turns. The ratio is the median over the rounds of first / this."""
    times = {name: [] for name in variants}
    for step in range(rounds + 1):
        for name in variants if step % 2 else reversed(variants):
            start = time.perf_counter()
            variants[name]()
            if step:  # the first round warms up
                times[name].append((time.perf_counter() - start) * 1000)
    first = next(iter(times.values()))
    rows = []
    for name, taken in times.items():
        low, middle, high = statistics.quantiles(taken, n=4)
        ratio = statistics.median(a / b for a, b in zip(first, taken, strict=True))
        rows.append(Row(comparison, name, middle, (low, high), ratio))
    return rows


def load_engine() -> th.trt.ICudaEngine:
    """The course's BERT with three copies of one profile, one for each context that is alive at a time."""
    profile = th.Profile.same(INPUTS, (1, 4), (8, 128), (FULL_BATCH, 128))
    with th.logger.quietly():
        return th.load_engine(th.build_plan(th.export_onnx(th.load_masked_lm()), [profile] * 3, progress=False))


def contexts_at_once(engine: th.trt.ICudaEngine, sequence: int = 32, count: int = 8) -> list[Row]:
    """The same executions on one context, and on two contexts with a stream each."""
    ready = [_ready(engine, profile, sequence) for profile in range(2)]

    def run(used: list) -> None:
        for number in range(count):
            context, stream, _ = used[number % len(used)]
            assert context.execute_async_v3(stream.handle)
        for _, stream, _ in used:
            stream.synchronize()

    name = f"{count} executions of 8 x {sequence} tokens"
    return compare(name, {"one context": lambda: run(ready[:1]), "two contexts, two streams": lambda: run(ready)})


def _ready(engine: th.trt.ICudaEngine, profile: int, sequence: int) -> tuple:
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_optimization_profile_async(profile, stream.handle)
    stream.synchronize()
    tensors = {name: torch.ones(8, sequence, dtype=torch.int64, device=th.device) for name in INPUTS}
    th.set_input_shapes(context, tensors)
    tensors |= th.allocate_outputs(context)
    th.bind(context, tensors)
    return context, stream, tensors


def requests(count: int, sequence: int, batch: int = 8) -> Iterator[dict[str, torch.Tensor]]:
    """Inputs in the computer's memory, as they come from a tokenizer."""
    for _ in range(count):
        yield {name: torch.ones(batch, sequence, dtype=torch.int64) for name in INPUTS}


def pipeline_against_sequential(engine: th.trt.ICudaEngine, sequence: int = 128) -> list[Row]:
    """Requests of 8 x 128 tokens with their copies: one after the other, and through a pipeline."""
    count = 24 if ON_GPU else 4
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_optimization_profile_async(2, stream.handle)
    stream.synchronize()
    pipeline = th.Pipeline(engine, [0, 1])

    def plain() -> None:
        for inputs in requests(count, sequence):
            on_device = {name: tensor.to(th.device) for name, tensor in inputs.items()}
            th.infer(context, on_device)["logits"].cpu()

    def pinned() -> None:
        for inputs in requests(count, sequence):
            _one_with_pinned_copies(context, stream, inputs)

    def piped() -> None:
        for _ in pipeline.map(requests(count, sequence)):
            pass

    variants = {"one after the other": plain, "pipeline, two contexts": piped}
    if ON_GPU:
        variants = {"one after the other, pinned copies": pinned, "one after the other, .cpu()": plain, **variants}
        variants.pop("one after the other")
    rows = compare(f"{count} requests of 8 x {sequence} tokens, copies included", variants)
    pipeline.close()
    return rows


def _one_with_pinned_copies(context: th.trt.IExecutionContext, stream: th.Stream, inputs: dict) -> torch.Tensor:
    """Copy in, execute, copy out on one stream, with pinned memory at both ends; then wait."""
    on_device = {}
    for name, tensor in inputs.items():
        staged = th.pinned_empty(tensor.shape, tensor.dtype).copy_(tensor)
        on_device[name] = torch.empty_like(tensor, device=th.device)
        th.copy_async(on_device[name], staged, stream)
    logits = th.infer_async(context, on_device, stream=stream).outputs["logits"]
    result = th.pinned_empty(logits.shape, logits.dtype)
    th.copy_async(result, logits, stream)
    stream.synchronize()
    return result


def copies(megabytes: int = 256) -> list[Row]:
    """To the GPU, from pageable and from pinned memory: until the copy is done, and until the call returns.

    The second is not taken in turns: what is enqueued before would still be running.
    """
    if not ON_GPU:
        return []
    size, stream = megabytes * 2**20 // 4, th.Stream()
    target = torch.empty(size, device=th.device)
    sources = {"pageable": torch.ones(size), "pinned": th.pinned_empty((size,)).fill_(1)}

    def until_done(kind: str) -> None:
        th.copy_async(target, sources[kind], stream)
        stream.synchronize()

    def until_returned(kind: str) -> None:
        th.copy_async(target, sources[kind], stream)

    done = compare(f"copy of {megabytes} MiB, until done", {k: lambda k=k: until_done(k) for k in sources})
    returned = []
    for kind in sources:
        taken = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            until_returned(kind)
            taken.append((time.perf_counter() - start) * 1000)
            stream.synchronize()
        low, middle, high = statistics.quantiles(taken, n=4)
        first = returned[0].median_ms if returned else middle
        returned.append(Row(f"copy of {megabytes} MiB, call", kind, middle, (low, high), first / middle))
    return done + returned


def overlap(engine: th.trt.ICudaEngine) -> dict[str, float | str]:
    """From a timeline of a pipeline: for how much of the time that anything ran, two contexts ran at once."""
    timeline, count = th.Timeline(), 12 if ON_GPU else 4
    with th.Pipeline(engine, [0, 1], timeline=timeline) as pipeline:
        for _ in range(2):  # the first time loads and allocates
            for _ in pipeline.map(requests(count, 128, FULL_BATCH)):
                pass
    spans = timeline.spans()[-3 * count :]
    total = max(s.end_ms for s in spans) - min(s.start_ms for s in spans)
    anything = [span._replace(what="anything") for span in spans]
    return {
        "requests": f"{count} requests of {FULL_BATCH} x 128 tokens",
        "total_ms": total,
        "two_executions_at_once_ms": th.overlap_ms(spans),
        "two_contexts_busy_at_once_ms": th.overlap_ms(anything, "anything"),
    }


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = ["| comparison | variant | median | middle half | against the first |", "|---|---|---|---|---|"]
    for row in rows:
        low, high = row.quartiles_ms
        half = f"{low:.2f} to {high:.2f} ms"
        lines.append(f"| {row.comparison} | {row.variant} | {row.median_ms:.2f} ms | {half} | {row.ratio:.2f}x |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    engine = load_engine()
    rows = contexts_at_once(engine) + pipeline_against_sequential(engine) + copies()
    figures = {"rows": [asdict(row) for row in rows], "table": markdown(rows), "overlap": overlap(engine)}
    print(markdown(rows))
    for name, value in figures["overlap"].items():
        print(f"{name}: {value if isinstance(value, str) else round(value, 1)}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
