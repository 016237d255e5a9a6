"""What more workers are worth: rates side by side, memory over many rows, and what reading and writing allow.

    python -m benchmarks.scaling [--turns 3] [--rows 8000] [--workers 1 2] [--out benchmarks/results]

Takes about 20 minutes on two quiet cores. On a machine with GPUs every worker has one: with four of them say
``--workers 1 2 4``. Writes scaling.json and scaling.md (on GPUs scaling-cuda.json and scaling-cuda.md), and
docs/scaling.md. Needs the extra ``scale``. The exit status is 1 if any run gave other words than the first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TRT_HELPERS_PROGRESS", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

if TYPE_CHECKING:
    import pyarrow as pa

MIB = 2**20
MEMORY_ROWS = (10_000, 100_000)
STUB_ROWS = 1_000_000
# Rows of a run and of a part, enough to keep every worker busy for many parts. A GPU does thousands of rows a second.
ROWS = {"cpu": 8_000, "cuda": 240_000}
PART_ROWS = {"cpu": 500, "cuda": 4096}
ALONE_ROWS = {"cpu": 2_000, "cuda": 50_000}  # at most, for the process without Ray


class Stub:
    """A decoder that computes nothing: what remains is reading, Ray, writing."""

    def __call__(self, sentences: Sequence[str], top_k: int = 5, progress: bool | None = None) -> list:
        """The same five words for every sentence."""
        from trt_helpers.decoding.answers import Candidate, Filled

        words = [Candidate(word, 0.2) for word in ("one", "two", "three", "four", "five")[:top_k]]
        return [Filled(sentence, [words]) for sentence in sentences]


def everything(options: argparse.Namespace, say: Callable[[str], None]) -> dict:
    """Measure it all, in one Ray."""
    import torch

    import trt_helpers as th
    from trt_helpers.scaling import local_ray

    from . import machine, sentence_sets

    mixed, short = sentence_sets.read("mixed"), sentence_sets.read("short")
    options.rows = options.rows or ROWS[th.device.type]
    options.part_rows = options.part_rows or PART_ROWS[th.device.type]
    found = {"machine": machine.describe(th.device), "lane": th.lane.name, "device": th.device.type}
    if th.device.type == "cuda":
        found["machine"]["GPUs"] = str(torch.cuda.device_count())
    found |= {"turns": options.turns, "rows": options.rows, "part rows": options.part_rows}
    with tempfile.TemporaryDirectory() as folder, local_ray.running():
        place = Path(folder)
        some = [mixed[i % len(mixed)] for i in range(min(options.rows, ALONE_ROWS[th.device.type]))]
        if th.device.type == "cpu":
            found["alone, all threads"] = _alone(some, options, machine.cores())
            say(f"one process, all threads, without Ray: {found['alone, all threads']:,.1f} rows/s")
        found["alone"] = _alone(some, options, 1)
        say(f"one process, threads as a worker's, without Ray: {found['alone']:,.1f} rows/s")
        found |= _workers(_file(place / "mixed.txt", mixed, options.rows), options, say)
        say("memory of a worker over many rows")
        found["memory is"] = "own"
        found["memory"] = _memory(_file(place / "short.txt", short, options.memory_rows), options.part_rows)
        found["stub memory"] = _memory(_file(place / "stub.txt", short, options.stub_rows), 5_000, Stub)
        say("reading and writing")
        found["reading"], found["writing"] = _reading(place, mixed), _writing(place, mixed)
    return found


def _file(path: Path, sentences: Sequence[str], rows: int) -> Path:
    """A text file of so many rows, the sentences over and over."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{sentences[i % len(sentences)]}\n" for i in range(rows))
    return path


def _alone(sentences: Sequence[str], options: argparse.Namespace, threads: int) -> float:
    """Rows a second of the decoder in this process. One thread is a worker's way, as ``worker.Worker`` sets it."""
    from trt_helpers import MaskedWordDecoder, device

    os.environ["TRT_HELPERS_THREADS"] = str(threads)
    if device.type == "cpu":
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"

    decoder = MaskedWordDecoder.from_pretrained()
    decoder(sentences[: options.part_rows], progress=False)
    rates = []
    for _ in range(options.turns):
        start = time.perf_counter()
        for first in range(0, len(sentences), options.part_rows):
            decoder(sentences[first : first + options.part_rows], progress=False)
        rates.append(len(sentences) / (time.perf_counter() - start))
    return statistics.median(rates)


def _run(source: Path, workers: int, part_rows: int, make_decoder: Callable | None = None) -> dict:
    from trt_helpers.scaling import parts
    from trt_helpers.scaling.dataset import decode_dataset

    reports = []
    with tempfile.TemporaryDirectory() as sink:
        how = {"batch_size": part_rows, "make_decoder": make_decoder, "on_part": reports.append}
        if make_decoder is not None:
            how["gpus_per_worker"] = 0
        summary = decode_dataset(source, f"{sink}/out", workers=workers, **how)
        answers = parts.answers(f"{sink}/out", ["id", "words", "error"]) if make_decoder is None else None
    found = {"reports": reports, "start up": summary.start_up_s, "errors": summary.errors, "rows": summary.rows}
    return {**found, "answers": answers}


def other_words(first: pa.Table, second: pa.Table) -> int:
    """In how many rows two tables of answers differ, in ids, words or errors."""
    if first.equals(second):
        return 0
    pairs = zip(first.to_pylist(), second.to_pylist(), strict=False)
    return sum(a != b for a, b in pairs) + abs(first.num_rows - second.num_rows)


def steady_rate(reports: Sequence) -> float:
    """Rows a second while all workers were busy: from the last one's first part to the first one's last.

    A part that lies across an edge counts by its share of time. 0.0 if they were never busy together.
    """
    by_worker: dict[int, list] = {}
    for report in reports:
        by_worker.setdefault(report.worker, []).append(report)
    begin = max(min(r.started for r in own) for own in by_worker.values())
    end = min(max(r.ended for r in own) for own in by_worker.values())
    if end <= begin:
        return 0.0
    rows = sum(r.rows * max(0.0, min(r.ended, end) - max(r.started, begin)) / (r.ended - r.started) for r in reports)
    return rows / (end - begin)


def _workers(source: Path, options: argparse.Namespace, say: Callable[[str], None]) -> dict:
    """Every number of workers in turns, so that whatever else the machine does falls on all."""
    rates: dict[int, list[float]] = {count: [] for count in options.workers}
    starts: dict[int, list[float]] = {count: [] for count in options.workers}
    answers, differ = None, 0
    for turn in range(options.turns):
        for count in options.workers if turn % 2 == 0 else reversed(options.workers):
            run = _run(source, count, options.part_rows)
            if (run["rows"], run["errors"]) != (options.rows, 0):
                raise RuntimeError(f"{run['rows']} rows and {run['errors']} errors; expected {options.rows} and none")
            answers = run["answers"] if answers is None else answers
            differ = max(differ, other_words(answers, run["answers"]))
            rates[count].append(steady_rate(run["reports"]))
            starts[count].append(run["start up"])
            say(f"{count} workers: {rates[count][-1]:,.1f} rows/s, {starts[count][-1]:.1f} s to start")
    return {"workers": _medians(rates, starts), "rows with other words": differ}


def _medians(rates: dict[int, list[float]], starts: dict[int, list[float]]) -> dict[str, dict]:
    """For each number of workers its rate, and the median of its ratio to the first's in the same turn."""
    if idle := [count for count, found in rates.items() if not all(found)]:
        raise RuntimeError(f"{idle[0]} workers were never all busy at once: give them more rows with --rows")
    first = next(iter(rates.values()))
    return {
        str(count): {
            "rate": statistics.median(found),
            "rates": found,
            "times the first": statistics.median(b / a for a, b in zip(first, found, strict=True)),
            "start up": statistics.median(starts[count]),
        }
        for count, found in rates.items()
    }


def _memory(source: Path, part_rows: int, make_decoder: Callable | None = None) -> dict[str, float]:
    """The most memory that one worker had for itself, in MiB, after it had seen so many rows."""
    reports = sorted(_run(source, 1, part_rows, make_decoder)["reports"], key=lambda report: report.ended)
    rows, sizes = 0, {}
    for report in reports:
        rows += report.rows
        sizes[rows] = max(report.memory / MIB, *list(sizes.values())[-1:] or [0.0])
    wanted = [*(count for count in MEMORY_ROWS if count <= rows), rows]
    return {f"{count:,}": sizes[min(key for key in sizes if key >= count)] for count in dict.fromkeys(wanted)}


def _reading(place: Path, sentences: Sequence[str], rows: int = 100_000) -> dict[str, float]:
    """Rows a second of the reader, one process, from files in the system's cache."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from trt_helpers.scaling import parts, reading

    texts = [sentences[i % len(sentences)] for i in range(rows)]
    _file(place / "read.txt", texts, rows)
    with (place / "read.jsonl").open("w") as file:
        file.writelines(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts))
    pq.write_table(pa.table({"id": range(rows), "text": texts}), place / "read.parquet")
    rates = {}
    for kind in ("txt", "jsonl", "parquet"):
        source = reading.Source([str(place / f"read.{kind}")], "text", None, 4096)
        start = time.perf_counter()
        seen = sum(len(part["ids"]) for part in parts.parts_of(source, 0))
        rates[kind] = seen / (time.perf_counter() - start)
    return rates


def _writing(place: Path, sentences: Sequence[str], rows: int = 4096, times: int = 10) -> float:
    """Rows a second that a worker writes, to this machine's disk, five words each."""
    from trt_helpers.scaling import parts

    texts = [sentences[i % len(sentences)] for i in range(rows)]
    filled = Stub()(texts)
    (place / "written").mkdir()
    start = time.perf_counter()
    for i in range(times):
        part = {"part": parts.part_name(0, i), "ids": [str(n) for n in range(rows)], "errors": [None] * rows}
        parts.write_part(str(place / "written"), part, filled)
    return rows * times / (time.perf_counter() - start)


def main() -> int:
    """Measure, print, write; returns the exit status."""
    from . import scaling_page

    options = _options(scaling_page.FOLDER)
    start = time.perf_counter()
    found = everything(options, lambda words: print(f"{time.perf_counter() - start:6.0f} s  {words}", flush=True))
    found["minutes"] = (time.perf_counter() - start) / 60
    name, table = scaling_page.NAMES[found["device"]], scaling_page.results(found)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (options.out / f"{name}.md").write_text(table, encoding="utf-8")
    print(table)
    if options.out == scaling_page.FOLDER:
        scaling_page.main()
    return 1 if found["rows with other words"] else 0


def _options(folder: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3, help="how often every number of workers runs")
    for name, what, default in (("--rows", "a run", ROWS), ("--part-rows", "a part", PART_ROWS)):
        words = f"rows of {what} (default: {default['cpu']:,}; on GPUs {default['cuda']:,})"
        parser.add_argument(name, type=int, help=words)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers, the smallest first")
    parser.add_argument("--memory-rows", type=int, default=MEMORY_ROWS[-1], help="rows for the memory of a worker")
    parser.add_argument(
        "--stub-rows", type=int, default=STUB_ROWS, help="the same, with a decoder that computes nothing"
    )
    parser.add_argument("--out", type=Path, default=folder)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
