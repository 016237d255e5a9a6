"""What more workers are worth: rates side by side, memory over many rows, and what reading and writing allow.

    python -m benchmarks.scaling [--turns 3] [--rows 8000] [--workers 1 2] [--out benchmarks/results]

Takes about 20 minutes on two quiet cores. On a machine with GPUs every worker has one: there say ``--workers 1 2 4``.
Writes scaling.json, scaling.md and docs/scaling.md. Needs the extra ``scale``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TRT_HELPERS_PROGRESS", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MIB = 2**20
MEMORY_ROWS = (10_000, 100_000)
STUB_ROWS = 1_000_000
PART_ROWS = 500


class Stub:
    """A decoder that computes nothing: what remains is reading, Ray, writing."""

    def __call__(self, sentences: Sequence[str], top_k: int = 5, progress: bool | None = None) -> list:
        """The same five words for every sentence."""
        from trt_helpers.masked_lm import Candidate
        from trt_helpers.sentences import Filled

        words = [Candidate(word, 0.2) for word in ("one", "two", "three", "four", "five")[:top_k]]
        return [Filled(sentence, [words]) for sentence in sentences]


def everything(options: argparse.Namespace, say: Callable[[str], None]) -> dict:
    """Measure it all, in one Ray."""
    import trt_helpers as th
    from trt_helpers import local_ray

    from . import machine, sentence_sets

    mixed, short = sentence_sets.read("mixed"), sentence_sets.read("short")
    found = {"machine": machine.describe(th.device), "lane": th.lane.name, "device": th.device.type}
    found |= {"turns": options.turns, "rows": options.rows, "part rows": PART_ROWS}
    with tempfile.TemporaryDirectory() as folder, local_ray.running():
        place = Path(folder)
        found["alone"] = _alone(mixed[: options.rows], options.turns)
        say(f"one process, one thread, without Ray: {found['alone']:,.1f} rows/s")
        found["workers"] = _workers(_file(place / "mixed.txt", mixed, options.rows), options, say)
        say("memory of a worker over many rows")
        found["memory"] = _memory(_file(place / "short.txt", short, options.memory_rows), None, max(options.workers))
        found["stub memory"] = _memory(_file(place / "stub.txt", short, options.stub_rows), Stub, 1)
        say("reading and writing")
        found["reading"], found["writing"] = _reading(place, mixed), _writing(place, mixed)
    return found


def _file(path: Path, sentences: Sequence[str], rows: int) -> Path:
    """A text file of so many rows, the sentences over and over."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{sentences[i % len(sentences)]}\n" for i in range(rows))
    return path


def _alone(sentences: Sequence[str], turns: int) -> float:
    """Rows a second of the decoder in this process, with as many threads as a worker has."""
    os.environ["TRT_HELPERS_THREADS"], os.environ["TOKENIZERS_PARALLELISM"] = "1", "false"
    from trt_helpers import MaskedWordDecoder

    decoder = MaskedWordDecoder.from_pretrained()
    decoder(sentences[:200])
    rates = []
    for _ in range(turns):
        start = time.perf_counter()
        for first in range(0, len(sentences), PART_ROWS):
            decoder(sentences[first : first + PART_ROWS])
        rates.append(len(sentences) / (time.perf_counter() - start))
    return statistics.median(rates)


def _run(source: Path, workers: int, part_rows: int = PART_ROWS, make_decoder: Callable | None = None) -> dict:
    from trt_helpers.scale import decode_dataset

    reports = []
    with tempfile.TemporaryDirectory() as sink:
        how = {"batch_size": part_rows, "make_decoder": make_decoder, "on_part": reports.append}
        if make_decoder is not None:
            how["gpus_per_worker"] = 0
        summary = decode_dataset(source, f"{sink}/out", workers=workers, **how)
    return {"reports": reports, "start up": summary.start_up_s, "errors": summary.errors, "rows": summary.rows}


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


def _workers(source: Path, options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, dict]:
    """Every number of workers in turns, so that whatever else the machine does falls on all."""
    rates: dict[int, list[float]] = {count: [] for count in options.workers}
    starts: dict[int, list[float]] = {count: [] for count in options.workers}
    for turn in range(options.turns):
        for count in options.workers if turn % 2 == 0 else reversed(options.workers):
            run = _run(source, count)
            if (run["rows"], run["errors"]) != (options.rows, 0):
                raise RuntimeError(f"{run['rows']} rows and {run['errors']} errors; expected {options.rows} and none")
            rates[count].append(steady_rate(run["reports"]))
            starts[count].append(run["start up"])
            say(f"{count} workers: {rates[count][-1]:,.1f} rows/s, {starts[count][-1]:.1f} s to start")
    first = rates[options.workers[0]]
    return {
        str(count): {
            "rate": statistics.median(rates[count]),
            "rates": rates[count],
            "times the first": statistics.median(b / a for a, b in zip(first, rates[count], strict=True)),
            "start up": statistics.median(starts[count]),
        }
        for count in options.workers
    }


def _memory(source: Path, make_decoder: Callable | None, workers: int) -> dict[str, float]:
    """The largest resident size of a worker, in MiB, after it had seen so many rows."""
    run = _run(source, workers, 5_000 if make_decoder else PART_ROWS, make_decoder)
    reports = sorted(run["reports"], key=lambda report: report.ended)
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

    from trt_helpers import parts

    texts = [sentences[i % len(sentences)] for i in range(rows)]
    _file(place / "read.txt", texts, rows)
    with (place / "read.jsonl").open("w") as file:
        file.writelines(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts))
    pq.write_table(pa.table({"id": range(rows), "text": texts}), place / "read.parquet")
    rates = {}
    for kind in ("txt", "jsonl", "parquet"):
        source = parts.Source([str(place / f"read.{kind}")], "text", None, 4096)
        start = time.perf_counter()
        seen = sum(len(part["ids"]) for part in parts.parts_of(source, 0))
        rates[kind] = seen / (time.perf_counter() - start)
    return rates


def _writing(place: Path, sentences: Sequence[str], rows: int = 4096, times: int = 10) -> float:
    """Rows a second that a worker writes, to this machine's disk, five words each."""
    from trt_helpers import parts

    texts = [sentences[i % len(sentences)] for i in range(rows)]
    filled = Stub()(texts)
    (place / "written").mkdir()
    start = time.perf_counter()
    for i in range(times):
        part = {"part": parts.part_name(0, i), "ids": [str(n) for n in range(rows)], "errors": [None] * rows}
        parts.write_part(str(place / "written"), part, filled)
    return rows * times / (time.perf_counter() - start)


def main() -> None:
    """Measure, print, write."""
    from . import scaling_page

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3, help="how often every number of workers runs")
    parser.add_argument("--rows", type=int, default=8_000, help="rows of one run")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers, the smallest first")
    parser.add_argument("--memory-rows", type=int, default=MEMORY_ROWS[-1], help="rows for the memory of a worker")
    parser.add_argument(
        "--stub-rows", type=int, default=STUB_ROWS, help="the same, with a decoder that computes nothing"
    )
    parser.add_argument("--out", type=Path, default=scaling_page.RESULTS.parent)
    options = parser.parse_args()
    start = time.perf_counter()
    found = everything(options, lambda words: print(f"{time.perf_counter() - start:6.0f} s  {words}", flush=True))
    found["minutes"] = (time.perf_counter() - start) / 60
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / scaling_page.RESULTS.name).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table = scaling_page.results(found)
    (options.out / "scaling.md").write_text(table, encoding="utf-8")
    print(table)
    if options.out == scaling_page.RESULTS.parent:
        scaling_page.main()


if __name__ == "__main__":
    main()
