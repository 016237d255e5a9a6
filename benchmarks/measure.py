"""The whole measurement: every row on both sets in turns, answers, memory, operations, profiles."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

import trt_helpers as th

from . import agreement, machine, memory, profiles, rows, sentence_sets, timing
from .operations import OperationCounter

SLOW_SENTENCES = 200
TUNING_SENTENCES = 100
REFERENCE = "Eager"  # whose answers all others are compared with
# Float32 sums in another order differ by 1e-5 here; on a GPU ONNX Runtime may use TF32, with 10 bits of mantissa.
TOLERANCE = {"cpu": 1e-3, "cuda": 2e-2}
LARGE_BATCH = (64, 32)  # sentences and tokens of the goal for the matrix-product rate

Say = Callable[[str], None]


def everything(turns: int, count: int | None, say: Say) -> dict:
    """Measure all there is.

    Parameters:
        turns: how often every row runs on every set.
        count: sentences of each set; default: all of them.
        say: told what is going on.
    """
    torch.set_num_threads(machine.cores())
    say("exporting, building, quantising")
    rows.prepare()
    made = {name: rows.ROWS[name]() for name in rows.rows_here()}
    for row in made.values():
        row.load()
    products = machine.matrix_products(th.device)
    for product in products.values():
        product()
    report = {"machine": machine.describe(th.device), "lane": th.lane.name, "device": th.device.type, "turns": turns}
    report["tolerance"] = TOLERANCE[th.device.type]
    report["sets"] = {name: _one_set(name, made, products, turns, count, say) for name in sentence_sets.SETS}
    say("one large batch")
    report["large batch"] = _large_batch(made["Decoder"], products, 6 * turns)
    say("profiles")
    report["profile"] = _profiles(made["Decoder"])
    sizes = {name: report["sets"]["mixed"]["rows"][name]["size"] for name in made}
    say("memory, a process for each row")
    report["memory"] = {name: memory.of_row(name, sizes[name]) for name in made}
    return report


def _one_set(name: str, made: dict, products: dict, turns: int, count: int | None, say: Say) -> dict:
    sentences = sentence_sets.read(name)[:count]
    lengths = [len(ids) for ids in rows.load_tokenizer()(sentences)["input_ids"]]
    samples = {}
    for row_name, row in made.items():
        share = min(len(sentences), SLOW_SENTENCES) if row.slow else len(sentences)
        samples[row_name] = sentence_sets.spread_sample(lengths, share)
    few = [sentences[i] for i in sentence_sets.spread_sample(lengths, min(len(sentences), TUNING_SENTENCES))]
    for row in made.values():
        row.size = _best_size(row, few)
    raw: dict[str, object] = {}

    def side(row_name: str) -> Callable[[], None]:
        chosen = [sentences[i] for i in samples[row_name]]
        return lambda: raw.__setitem__(row_name, made[row_name].run(chosen))

    rates: dict[str, list[float]] = {library: [] for library in products}
    sides = {row_name: side(row_name) for row_name in made}
    sides |= {f"product {library}": _several(product, rates[library]) for library, product in products.items()}
    say(f"{name}: {turns} turns of {len(made)} rows")
    times = timing.interleaved(sides, turns)
    best = max(statistics.median(rate) for rate in rates.values())
    found = {row_name: row.answers(raw[row_name]) for row_name, row in made.items()}
    counters = {graph: OperationCounter(rows.files()[graph]) for graph in ("logits", "decoder")}
    table = {}
    for row_name, row in made.items():
        part, seconds = samples[row_name], times[row_name]
        expected = [found[REFERENCE][i] for i in part]
        work = _work(row, [lengths[i] for i in part], counters[row.graph])
        table[row_name] = {
            "title": row.title,
            "exact": row.exact,
            "size": row.size,
            "sentences": len(part),
            "seconds": seconds,
            "per second": timing.spread([len(part) / s for s in seconds]),
            "ours is faster by": timing.ratio(_each(times, samples, row_name), _each(times, samples, "Decoder")),
            "operations per sentence": work["operations"] / len(part),
            "padding": 1 - sum(lengths[i] for i in part) / work["tokens"],
            "share of matrix rate": work["operations"] / statistics.median(seconds) / best,
            "same top 5": agreement.share_with_same_top(found[row_name], expected, TOLERANCE[th.device.type]),
            "same first": agreement.share_with_same_first(found[row_name], expected),
        }
    facts = {"sentences": len(sentences), "mean tokens": statistics.mean(lengths), "longest": max(lengths)}
    return {**facts, "matrix products per second": {k: timing.spread(v) for k, v in rates.items()}, "rows": table}


def _each(times: dict, samples: dict, name: str) -> list[float]:
    """Seconds for a sentence, turn by turn."""
    return [seconds / len(samples[name]) for seconds in times[name]]


def _several(product: Callable[[], float], rates: list[float], count: int = 5) -> Callable[[], None]:
    return lambda: rates.append(statistics.median(product() for _ in range(count)))


def _best_size(row: rows.Row, sentences: list[str]) -> int:
    """The fastest of a row's batch sizes: of each the better of two tries, in turns."""
    if not row.sizes:
        row.run(sentences)  # everybody has run once before the clock starts
        return row.size

    def at(size: int) -> Callable[[], object]:
        def run() -> object:
            row.size = size
            return row.run(sentences)

        return run

    times = timing.interleaved({str(size): at(size) for size in row.sizes}, turns=2)
    return min(row.sizes, key=lambda size: min(times[str(size)]))


def _work(row: rows.Row, lengths: list[int], counter: OperationCounter) -> dict[str, int]:
    operations = tokens = 0
    for batch, sequence in row.batches(lengths):
        # ONNX's shape inference loses a batch of one. Every product has the batch as a factor, so two are counted.
        counted = max(batch, 2)
        shapes = dict.fromkeys(rows.INPUTS, (counted, sequence))
        if row.graph == "decoder":
            shapes[rows.POSITIONS] = (counted, 2)
        operations += counter(shapes) * batch // counted
        tokens += batch * sequence
    return {"operations": operations, "tokens": tokens}


def _large_batch(decoder: rows.Decoder, products: dict, turns: int) -> dict:
    """Our engine on 64 sentences of 32 tokens, against the best matrix product measured beside it."""
    batch, sequence = LARGE_BATCH
    counter = OperationCounter(rows.files()["decoder"])
    shapes = dict.fromkeys(rows.INPUTS, (batch, sequence)) | {rows.POSITIONS: (batch, 2)}
    operations = counter(shapes)
    rates: dict[str, list[float]] = {library: [] for library in products}
    engine = profiles.engine_of(decoder.decoder, batch, sequence)
    engine()
    sides: dict[str, Callable] = {"engine": engine}
    sides |= {library: _several(product, rates[library], 2) for library, product in products.items()}
    seconds = timing.interleaved(sides, turns)["engine"]
    best = [max(pair) for pair in zip(*rates.values(), strict=True)]
    shares = [operations / s / rate for s, rate in zip(seconds, best, strict=True)]
    return {"batch": batch, "tokens": sequence, "operations": operations, "share": timing.spread(shares)}


def _profiles(row: rows.Decoder) -> dict:
    steps = {name: profiles.by_step(row.decoder, sentence_sets.read(name)[:400]) for name in sentence_sets.SETS}
    operators = profiles.by_operator(*LARGE_BATCH) if th.device.type == "cpu" else {}
    return {"steps": steps, "operators": operators}
