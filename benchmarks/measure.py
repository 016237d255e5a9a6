"""The whole measurement: every row on both sets in turns, answers, memory, operations, profiles."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import cache

import torch

import trt_helpers as th

from . import agreement, machine, memory, profiles, rows, sentence_sets, timing
from .operations import OperationCounter

SLOW_SENTENCES = 200
TUNING_SENTENCES = {True: 64, False: 200}  # of a slow row, of a fast one: several batches of the largest size
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
    report["profile"] = _profiles(made["Decoder"], min(count or 400, 400))
    sizes = {name: report["sets"]["mixed"]["rows"][name]["size"] for name in made}
    say("memory, a process for each row")
    few = min(count or memory.SENTENCES, memory.SENTENCES)
    report["memory"] = {name: memory.of_row(name, sizes[name], few) for name in made}
    return report


def _one_set(name: str, made: dict, products: dict, turns: int, count: int | None, say: Say) -> dict:
    sentences = sentence_sets.read(name)[:count]
    lengths = [len(ids) for ids in rows.load_tokenizer()(sentences)["input_ids"]]
    say(f"{name}: choosing batch sizes")
    for row in made.values():
        few = min(len(sentences), TUNING_SENTENCES[row.slow])
        row.size = _best_size(row, [sentences[i] for i in sentence_sets.spread_sample(lengths, few)])
    samples = {
        row_name: sentence_sets.spread_sample(lengths, min(len(sentences), SLOW_SENTENCES if row.slow else 10**9))
        for row_name, row in made.items()
    }
    say(f"{name}: {turns} turns of {len(made)} rows")
    times, raw, rates = _turns(made, samples, sentences, products, turns)
    best = max(statistics.median(rate) for rate in rates.values())
    found = {row_name: row.answers(raw[row_name]) for row_name, row in made.items()}
    table = {}
    for row_name, row in made.items():
        part = samples[row_name]
        table[row_name] = {
            "title": row.title,
            "exact": row.exact,
            "size": row.size,
            "sentences": len(part),
            "seconds": times[row_name],
            "per second": timing.spread([len(part) / s for s in times[row_name]]),
            "ours is faster by": timing.ratio(_each(times, samples, row_name), _each(times, samples, "Decoder")),
            **_work(row, [lengths[i] for i in part], statistics.median(times[row_name]), best),
            **_agreement(found[row_name], [found[REFERENCE][i] for i in part]),
        }
    facts = {"sentences": len(sentences), "mean tokens": statistics.mean(lengths), "longest": max(lengths)}
    return {**facts, "matrix products per second": {k: timing.spread(v) for k, v in rates.items()}, "rows": table}


def _turns(
    made: dict, samples: dict, sentences: list[str], products: dict, turns: int
) -> tuple[dict[str, list[float]], dict[str, object], dict[str, list[float]]]:
    """Seconds of every row in every turn, its raw results, and the rates of matrix products taken in the same turns."""
    raw: dict[str, object] = {}
    rates: dict[str, list[float]] = {library: [] for library in products}

    def side(name: str) -> Callable[[], None]:
        chosen = [sentences[i] for i in samples[name]]
        return lambda: raw.__setitem__(name, made[name].run(chosen))

    sides = {name: side(name) for name in made}
    sides |= {f"product {library}": _several(product, rates[library]) for library, product in products.items()}
    return timing.interleaved(sides, turns), raw, rates


def _agreement(found: list, expected: list) -> dict[str, float]:
    return {
        "same top 5": agreement.share_with_same_top(found, expected, TOLERANCE[th.device.type]),
        "same first": agreement.share_with_same_first(found, expected),
    }


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


def _work(row: rows.Row, lengths: list[int], seconds: float, rate: float) -> dict[str, float]:
    """What a row computed for sentences of these lengths, against what the machine can."""
    counter, operations, tokens = _counter(row.graph), 0, 0
    for batch, sequence in row.batches(lengths):
        operations += counter(batch=batch, sequence=sequence, masks=batch)
        tokens += batch * sequence
    return {
        "operations per sentence": operations / len(lengths),
        "padding": 1 - sum(lengths) / tokens,
        "share of matrix rate": operations / seconds / rate,
    }


@cache
def _counter(graph: str) -> OperationCounter:
    return OperationCounter(rows.files()[graph])


def _large_batch(decoder: rows.Decoder, products: dict, turns: int) -> dict:
    """Our engine on 64 sentences of 32 tokens, against the best matrix product measured beside it."""
    batch, sequence = LARGE_BATCH
    operations = _counter("decoder")(batch=batch, sequence=sequence, masks=batch)
    rates: dict[str, list[float]] = {library: [] for library in products}
    engine = profiles.engine_of(decoder.decoder, batch, sequence)
    engine()
    sides: dict[str, Callable] = {"engine": engine}
    sides |= {library: _several(product, rates[library], 2) for library, product in products.items()}
    seconds = timing.interleaved(sides, turns)["engine"]
    best = [max(pair) for pair in zip(*rates.values(), strict=True)]
    shares = [operations / s / rate for s, rate in zip(seconds, best, strict=True)]
    return {"batch": batch, "tokens": sequence, "operations": operations, "share": timing.spread(shares)}


def _profiles(row: rows.Decoder, count: int) -> dict:
    steps = {name: profiles.by_step(row.decoder, sentence_sets.read(name)[:count]) for name in sentence_sets.SETS}
    operators = profiles.by_operator(*LARGE_BATCH) if th.device.type == "cpu" else {}
    return {"steps": steps, "operators": operators}
