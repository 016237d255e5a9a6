"""Measure every row on this machine, and write the table.

    make bench
    python -m benchmarks [--turns 3] [--sentences 2000] [--out benchmarks/results]

Takes 10 to 15 minutes on two quiet cores, and 700 MB of disk. Exits with 1 if a row that computes in float32 gives
other answers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TRT_HELPERS_PROGRESS", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # every file is here; a look at the Hub would be timed too
# Unless it is set, the pipeline of transformers sets it to false, and all later rows would tokenise on one core.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


def main() -> int:
    """Measure, print, write."""
    from . import machine, measure, report

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3, help="how often every row runs on every set")
    parser.add_argument("--sentences", type=int, help="only so many of each set: a trial, not a result")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    options = parser.parse_args()
    os.environ.setdefault("TRT_HELPERS_THREADS", str(machine.cores()))
    start = time.perf_counter()

    def say(words: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {words}", flush=True)

    found = measure.everything(options.turns, options.sentences, say)
    found["minutes"] = (time.perf_counter() - start) / 60
    text = report.page(found)
    print(text)
    name = "cuda" if found["device"] == "cuda" else "cpu"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{name}.md").write_text(text, encoding="utf-8")
    (options.out / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rows = [(s, row) for s, measured in found["sets"].items() for row in measured["rows"].values()]
    wrong = [f"{s}, {row['title']}" for s, row in rows if row["exact"] and row["same top 5"] < 1]
    if wrong:
        print(f"Other answers than PyTorch's: {'; '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
