"""Run all that needs no particular GPU on this machine's one, and write down what came of it: make test-gpu

The page (default: docs/gpu_run.md) is written by this run and never by hand. In any lane: tests, every lesson with all
its assertions (outputs compared where not tagged `lane-output`), and benchmarks/streams.py. With two GPUs or more and
the packages of the extra `scale`, benchmarks/scaling.py too, which writes benchmarks/results/scaling-cuda.json and .md.
"""

import argparse
import datetime
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import torch

from benchmarks import scaling_page
from tools.notebooks import LESSON_ENV, ROOT, stored_notebooks
from tools.run_checks import NBVAL, WITH_RAY, Result, pytest
from trt_helpers import device, lane
from trt_helpers.doctor import facts

# Each worker has engines of its own on the one GPU.
WORKERS = ["-n", str(min(12, os.cpu_count() or 1)), "--dist", "loadfile"]
TESTS = {
    "tests": ["tests/contract", "tests/unit", "tests/clients", "tests/model", "-m", "not slow", *WORKERS],
    "endurance": ["tests/endurance/test_leaks.py", "-m", "slow"],
}
PARTS = ["scaling", "notebooks", "notebooks/solutions", *TESTS]
PAGE = ROOT / "docs" / "gpu_run.md"
WITHOUT_NVIDIA = """\
Not run here, because this lane's runtime is a stand-in on ONNX Runtime: everything that only NVIDIA's engine can show.
That is the twelve questions of `python -m trt_helpers verify` (among them how often the default stream is warned about,
and what a profile switch keeps), the real input-consumed event, which fires before an execution ends, and every
statement about TensorRT's speed."""


def lessons(folder: str) -> tuple[Result, int, int]:
    """Every notebook of a folder: the result, and how many cells were compared, and only run."""
    compared = run = 0
    with tempfile.TemporaryDirectory() as copies:
        for path in filter(can_run, stored_notebooks(ROOT / folder)):
            notebook = nbformat.read(path, 4)
            ignored = ignore_lane_outputs(notebook)
            cells = sum(cell.cell_type == "code" for cell in notebook.cells)
            compared, run = compared + cells - ignored, run + ignored
            nbformat.write(notebook, Path(copies) / path.name)
        sanitize = ROOT / "tests" / "nbval_sanitize.cfg"
        arguments = [sanitize.as_posix() if part.endswith(".cfg") else part for part in NBVAL]
        workers = ["-n", "6", "--dist", "loadscope"]  # a notebook each
        result = pytest(folder, *arguments, "-p", "no:cacheprovider", f"--rootdir={copies}", *workers, copies)
    if result.passed + result.failed + result.skipped != compared + run:
        result.ok, result.note = False, "not all cells were run"
    return result, compared, run


def can_run(path: Path) -> bool:
    """Lessons on Ray need its packages, which are never installed into a Python that somebody brought."""
    return not path.name.startswith(WITH_RAY) or importlib.util.find_spec("ray") is not None


def ignore_lane_outputs(notebook: nbformat.NotebookNode) -> int:
    """Let nbval run cells whose output depends on the lane without comparing it; return how many cells that are."""
    ignored = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and {"lane-output", "nbval-ignore-output"} & set(tags):
            cell.metadata["tags"] = [*tags, "nbval-ignore-output"]
            ignored += 1
    return ignored


def figures() -> dict:
    """What benchmarks/streams.py measures, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        command = [sys.executable, "benchmarks/streams.py", "--json", str(out)]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **LESSON_ENV})
        return json.loads(out.read_text()) if done.returncode == 0 else {}


def can_scale() -> bool:
    """Several GPUs, and what shares work between them, which is never installed into a Python that somebody brought."""
    packages = all(importlib.util.find_spec(name) for name in ("ray", "pyarrow"))
    return packages and torch.cuda.device_count() >= 2


def scaling(folder: Path) -> tuple[Result, dict]:
    """What benchmarks/scaling.py measures with one GPU, two, four and so on; its files go to the folder."""
    counts = [str(2**i) for i in range(torch.cuda.device_count().bit_length())]
    out = folder / f"{scaling_page.NAMES['cuda']}.json"
    out.unlink(missing_ok=True)  # an older run's figures are not this one's
    command = [sys.executable, "-m", "benchmarks.scaling", "--workers", *counts, "--out", str(folder)]
    start = time.perf_counter()
    # A lesson tokenises on one core; a GPU answers faster than that.
    environment = {**os.environ, **LESSON_ENV, "TOKENIZERS_PARALLELISM": "true"}
    ok = subprocess.run(command, cwd=ROOT, env=environment).returncode == 0
    result = Result("scaling", ok, int(ok), int(not ok), seconds=time.perf_counter() - start)
    result.failures = [] if ok else ["benchmarks.scaling"]
    return result, json.loads(out.read_text()) if out.exists() else {}


def scaling_text(found: dict, wanted: bool) -> str:
    """The figures of benchmarks/scaling.py, or why there are none."""
    if found:
        return scaling_page.figures(found).strip()
    if not can_scale():
        return "Not run here: needs two GPUs and the packages of the extra `scale`."
    return "benchmarks/scaling.py failed." if wanted else "Not run this time."


def page(
    results: list[Result],
    compared: int,
    only_run: int,
    measured: dict,
    left_out: list[str],
    several: str,
) -> str:
    """The page as Markdown."""
    parts = [
        "# What ran on a GPU",
        f"Written by `make test-gpu` on {datetime.date.today().isoformat()}, in the lane `{lane.name}`: {lane.why}.",
        machine_table(),
        "## Tests and lessons",
        results_table(results),
        f"Of the lessons' cells, {compared} were compared with their stored outputs; "
        f"{only_run} print what depends on the lane, and were run with their assertions.",
        *failures(results),
        *([f"Not run this time: {', '.join(left_out)}."] if left_out else []),
        "## Streams",
        streams_table(measured),
        "## Several GPUs",
        several,
    ]
    if lane.name == "reference":
        parts += ["## Not run here", WITHOUT_NVIDIA]
    return "\n\n".join(parts) + "\n"


def machine_table() -> str:
    """GPU, driver and versions."""
    found = facts()
    rows = {**found["machine"], "driver": driver(), "processor cores": str(os.cpu_count())}
    rows |= {name: version for name, version in found["versions"].items() if version != "not installed"}
    return "\n".join(["| machine | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def driver() -> str:
    """The version of NVIDIA's driver."""
    if not shutil.which("nvidia-smi"):
        return "unknown"
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True).stdout.split("\n")[0].strip()


def results_table(results: list[Result]) -> str:
    """A row for each part."""
    rows = [f"| {r.part} | {r.passed} | {r.failed} | {r.skipped} | {r.seconds:.0f} s |" for r in results]
    return "\n".join(["| part | passed | failed | skipped | time |", "|---|---|---|---|---|", *rows])


def failures(results: list[Result]) -> list[str]:
    """A list of what failed, if anything did."""
    names = [name for result in results for name in result.failures]
    return ["Failed:", "\n".join(f"- `{name}`" for name in names)] if names else []


def streams_table(measured: dict) -> str:
    """The figures of benchmarks/streams.py."""
    if not measured:
        return "benchmarks/streams.py failed."
    times = measured["overlap"]
    share = times["two_contexts_busy_at_once_ms"] / times["total_ms"]
    words = f"A timeline of {times['requests']} through the pipeline: {times['total_ms']:.1f} ms in all, "
    words += f"for {share:.0%} of which both contexts were busy (copying or executing)."
    return f"{measured['table']}\n\n{words}"


def main(arguments: list[str] | None = None) -> int:
    """Run everything, write the page, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu_run", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    options = parser.parse_args(arguments)
    if device.type != "cuda":
        print(f"No GPU is in use here: {lane.why}. `make doctor` says what would change that.", file=sys.stderr)
        return 2
    print(f"{torch.cuda.get_device_name()}, lane {lane.name}", flush=True)
    measured, results, cells, scaled = figures(), [], [0, 0], {}

    def write() -> None:  # after each part: a run that is cut short leaves what it has seen
        left_out = [part for part in PARTS if part not in {result.part for result in results}]
        left_out += [path.name for path in stored_notebooks(ROOT / "notebooks") if not can_run(path)]
        options.out.parent.mkdir(parents=True, exist_ok=True)
        several = scaling_text(scaled, "scaling" not in left_out)
        options.out.write_text(page(results, *cells, measured, left_out, several))

    for part in options.parts:
        if part == "scaling":
            if can_scale():
                result, scaled = scaling(scaling_page.FOLDER if options.out == PAGE else options.out.resolve().parent)
                results.append(result)
        elif part in TESTS:
            results.append(pytest(part, *TESTS[part], "-p", "no:cacheprovider"))
        else:
            result, compared, run = lessons(part)
            results.append(result)
            cells = [cells[0] + compared, cells[1] + run]
        write()
    print("\n" + "\n".join(result.line() for result in results))
    return 0 if measured and all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
