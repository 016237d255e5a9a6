"""Write docs/scaling.md from benchmarks/results/scaling*.json: python -m benchmarks.scaling_page

The page is about what was measured and where, on a CPU and on GPUs; without results it says so, and gives no figure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "results"
NAMES = {"cpu": "scaling", "cuda": "scaling-cuda"}  # what each kind of machine writes, so that it keeps the other's
PAGE = ROOT / "docs" / "scaling.md"
MEMORY = {
    "own": "Memory of a worker, without libraries and Ray's object store, which it shares with others",
    "resident": "Resident memory of a worker, with what it has read so far in Ray's object store (512 MiB in all)",
}
BILLION = 1_000_000_000

TOP = """\
# More workers, more machines

Written by `python -m benchmarks.scaling_page`; every figure comes from `benchmarks/results/scaling.json` or
`scaling-cuda.json`, which `python -m benchmarks.scaling` measures. Lesson 8 shows how `decode_dataset` works.

```
python -m trt_helpers fill-mask reviews.parquet --column review --out answers --workers 2 --top-k 5
```

"""

HOW = """\
## How it is built

- **One worker is one process with one engine.** It loads a plan that was built once. It has a GPU for itself, or the
  share that `gpus_per_worker` says.
- **A part is some thousand rows of one file, and one file of answers.** Its name says which rows, and it appears whole.
  So a worker may die at any moment: Ray starts another and gives it the part again, and the file is the same. A part
  over which three workers have died is written with an error in each of its rows.
- **A worker that dies while it loads** is started again too, but not for ever: after three times each, the run ends.
- **A run that was interrupted is called again with the same arguments** and does the parts whose files are missing.
  Ray Data's own checkpoints (2.60) were not taken for this: they need a column of unique ids right behind Ray's own
  readers, which text has not, keep all ids in memory, and ask for a core and a gigabyte of their own.
- **A bad row has its error.** The files are not read with Ray's readers, because those stop at the first line that is
  not UTF-8 or not JSON.
- **One reader for each file**, a quarter of a core by Ray's count; a worker on the CPU counts as three quarters, so
  that a reader and two workers start on two cores, and one on a GPU as its share of that and no core. Ray only counts:
  who asks for whole cores may wait for good.
- **A local Ray listens on the loopback interface only**, shows no dashboard, sends no statistics, and takes 512 MiB for
  its object store.

## On several machines

Not run here: needs a cluster. Set `RAY_ADDRESS`, and the same call joins it. Every machine needs the course's packages
and the input and output under the same path or URL (fsspec's, such as `s3://`, with the package that it needs; not run
here). The plan goes to each machine once, through the object store. It fits the kind of machine that it was built on:
start the run from one of these. Nothing passes through the machine that starts the run but a report for each part.
"""

NOTHING = """\
## Figures

Not measured yet.

"""


def page(measured: Sequence[dict]) -> str:
    """The page, with the figures of each measurement, or without any."""
    several = "".join(f"## {_where(found)}\n\n{figures(found)}\n{_billion(found)}\n" for found in measured)
    return TOP + (several or NOTHING) + HOW


def results(found: dict) -> str:
    """What was measured, as a page of its own beside the JSON file."""
    machine = _table(["machine", ""], list(found["machine"].items()))
    return f"# {_where(found)}\n\nWritten by `python -m benchmarks.scaling`.\n\n{machine}\n\n{figures(found)}"


def _where(found: dict) -> str:
    machine = found["machine"]
    if found["device"] == "cuda":
        return f"Workers on {machine['GPUs']} x {machine['GPU']}"
    return f"Workers on {machine['cores']} CPU cores"


def figures(found: dict) -> str:
    """Rates and memory, as text and tables."""
    unit = "GPU" if found["device"] == "cuda" else "thread"
    rows = [[f"one process without Ray, one {unit}", f"{found['alone']:,.1f}", "", ""]]
    if "alone, all threads" in found:
        rows.append(["one process without Ray, all threads", f"{found['alone, all threads']:,.1f}", "", ""])
    for count, run in found["workers"].items():
        title = f"{count} worker{'s'[: int(count) != 1]}, one {unit} each"
        low, high = min(run["rates"]), max(run["rates"])
        rate = f"{run['rate']:,.1f} ({low:,.1f} to {high:,.1f})"
        rows.append([title, rate, f"{run['times the first']:.2f}", f"{run['start up']:.0f} s"])
    head = ["", "sentences/s, steady: median (low to high)", "times the first", "until rows flow"]
    memory = [["decoder", *_memory(found["memory"])], ["stub", *_memory(found["stub memory"])]]
    differ = found["rows with other words"]
    words = (
        f"{differ:,} rows had other words in some runs than in the first" if differ else "every run gave the same words"
    )
    return f"""Lane `{found["lane"]}`: {found["rows"]:,} sentences of 32 tokens on average, in parts of
{found["part rows"]:,}, {found["turns"]} turns. Steady means: while all workers were busy, start-up apart.
Compared row by row, {words}.

{_table(head, rows)}

{MEMORY[found.get("memory is", "resident")]}, the most so far:

{_table(["", "rows", "MiB"], [[name, " / ".join(r), " / ".join(m)] for name, r, m in memory])}
"""


def _memory(sizes: dict[str, float]) -> tuple[list[str], list[str]]:
    return list(sizes), [f"{size:,.0f}" for size in sizes.values()]


def _billion(found: dict) -> str:
    most = max(found["workers"], key=int)
    each = found["workers"][most]["rate"] / int(most)
    unit = "GPU" if found["device"] == "cuda" else "core"
    fed = {kind: rate / each for kind, rate in found["reading"].items()}
    reading = [[kind, f"{rate:,.0f}", f"{fed[kind]:,.0f}"] for kind, rate in found["reading"].items()]
    hours = BILLION / each / 3600
    return f"""### A billion sentences, on paper

One of {most} workers does {each:,.1f} sentences a second. A billion such sentences cost **{hours:,.0f} {unit} hours**
(10^9 / {each:,.1f} / 3600), and {_span(hours / 1000)} on a thousand of these {unit}s if nothing else is in the way.
What would be:

- **Reading.** One reader, from the system's file cache:

{_table(["file", "rows/s", "workers that it can feed"], reading)}

  There is one reader for each file, so the input needs at least as many files as this says.
- **Writing.** A worker writes {found["writing"]:,.0f} rows a second: {each / found["writing"]:.2%} of its time.
- **Not measured:** a network between machines, a shared file system, more workers than this machine has {unit}s.
"""


def _span(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:,.1f} minutes"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def stored() -> list[dict]:
    """The stored measurements, the CPU's first."""
    files = [FOLDER / f"{name}.json" for name in NAMES.values()]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(stored()), encoding="utf-8")


if __name__ == "__main__":
    main()
