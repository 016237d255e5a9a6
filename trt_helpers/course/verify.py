"""``python -m trt_helpers verify --out report.json``: what does TensorRT really do on this machine?

This project has no GPU that TensorRT supports. Where the documentation leaves a question open, the reference
runtime follows a decision of ours, and only somebody with such a GPU can say whether it is right. The report
holds answers, versions and the GPU's name; no paths, no user or host names.

Each question and each lesson runs in a process of its own with a time limit: a crash or a hang is an answer too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..doctor import facts, shareable
from ..lanes import lane
from .questions import QUESTIONS

QUESTION_SECONDS, LESSON_SECONDS = 120, 300
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
ENVIRONMENT = {"TRT_HELPERS_PROGRESS": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

_RUN_NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
"""


def _run(arguments: list[str], limit: int) -> dict:
    """Run a Python process; what happened, how long it took, and the last line that it printed."""
    start = time.perf_counter()
    # To files, not pipes: a kernel that outlives its notebook would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            code = subprocess.run(
                [sys.executable, *arguments],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                timeout=limit,
                env={**os.environ, **ENVIRONMENT},
            ).returncode
            status = {0: "ok"}.get(code, "failed" if code > 0 else f"crashed (signal {-code})")
        except subprocess.TimeoutExpired:
            status = f"stopped after {limit} s"
        out.seek(0), err.seek(0)
        printed, complained = out.read().strip(), err.read().strip()
    seconds = round(time.perf_counter() - start, 1)
    return {"status": status, "seconds": seconds, "last": _last_line(printed if status == "ok" else complained)}


def _last_line(text: str) -> str:
    return text.splitlines()[-1] if text else ""


def ask(name: str) -> dict:
    """One question: its text, what happened to its process, and the answer."""
    result = _run(["-m", f"{__package__}.questions", name], QUESTION_SECONDS)
    last = result.pop("last")
    try:
        answer = json.loads(last) if result["status"] == "ok" else {"error": last}
    except json.JSONDecodeError:  # something else was printed last
        answer = {"error": last}
    return {"question": QUESTIONS[name].__doc__.strip(), **result, "answer": answer}


def run_lesson(path: Path) -> dict:
    """One lesson, all its assertions; outputs are not compared."""
    result = _run(["-c", _RUN_NOTEBOOK, str(path), str(path.parent)], LESSON_SECONDS)
    last = result.pop("last")
    return result if result["status"] == "ok" else {**result, "error": last}


def report() -> dict:
    """Ask everything, printing each answer as it comes."""
    evidence = "TensorRT's own behaviour"
    if lane.name == "reference":
        evidence = "the reference runtime's own decisions: no evidence about TensorRT"
    found = {"evidence": evidence, "machine": facts(), "questions": {}, "lessons": {}}
    print(f"Lane {lane.name}. These answers are {evidence}.\n")
    for name in QUESTIONS:
        answer = found["questions"][name] = ask(name)
        print(f"{name:<4} {answer['question']}\n     {answer['status']}: {json.dumps(answer['answer'])}")
    for path in sorted((NOTEBOOKS / "solutions").glob("[0-9]*.ipynb")):
        lesson = found["lessons"][path.stem] = run_lesson(path)
        print(f"lesson {path.stem}: {lesson['status']} {lesson.get('error', '')}".rstrip())
    return shareable(found)


def main(out: str) -> int:
    """Write the report; 0 if everything could be asked and every lesson ran."""
    Path(out).touch()  # better now than after all the work
    found = report()
    Path(out).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    entries = [*found["questions"].values(), *found["lessons"].values()]
    failed = sum(entry["status"] != "ok" for entry in entries)
    print(f"\n{len(entries) - failed} of {len(entries)} ran to their end. The report is in {Path(out).name}; please")
    print("attach it to an issue of this project. It names your GPU and versions, no files and no user.")
    return 0 if not failed else 1
