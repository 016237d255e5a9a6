"""Run the parts of the test suite one after the other, and end with a line for each.

    python -m tools.run_checks lint unit lessons      (make test)
    python -m tools.run_checks slow solutions ray     (make test-slow)
    python -m tools.run_checks browser                (make test-browser)

A part that fails does not stop the others. The last line counts tests over all parts.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from tools.notebooks import CELL_TIMEOUT_S, LESSON_ENV, ROOT, stored_notebooks

NO_TESTS = 5  # pytest's exit status when it found none
KEYS = ("tests", "failures", "errors", "skipped")  # of its report
# Strict: every cell must print what is stored.
NBVAL = ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}"]
NBVAL += ["--nbval-sanitize-with", "tests/nbval_sanitize.cfg"]
# Two notebooks, or two files of tests, at a time: each from top to bottom in one worker.
IN_PAIRS = ["-n", "2", "--dist", "loadscope"]
# Lessons that take longer than all others, and packages that the set-up does not install.
WITH_RAY = ("08",)


@dataclass
class Result:
    """How one part went: tests that passed, failed (with names) and were skipped, and what else to say about it."""

    part: str
    ok: bool
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the part's line: `unit tests ok 120 passed, coverage 93 %, 31 s`."""
        counts = [(self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped")]
        facts = [f"{count} {word}" for count, word in counts if count]
        facts += [self.note] if self.note else []
        return f"{self.part} {'ok' if self.ok else 'FAILED'} {', '.join([*facts, f'{self.seconds:.0f} s'])}"


def command(*arguments: str) -> int:
    """Run a module of this Python in the repository's root, its output passed through; return its status."""
    print(f"$ python -m {' '.join(arguments)}", flush=True)
    # Workers side by side share the cores: a thread each, or they wait for one another.
    threads = {"OMP_NUM_THREADS": "1"} if "-n" in arguments and "--nbval" not in arguments else {}
    environment = {**os.environ, **LESSON_ENV, **threads}
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=environment).returncode


def lint() -> Result:
    """Style of code, lessons and notebooks; layout of all but notebooks, which are generated; which way imports run."""
    statuses = [command("ruff", "check", "."), command("ruff", "format", "--check", ".")]
    statuses += [command("tools.house")]
    return Result("lint", not any(statuses))


def pytest(part: str, *arguments: str) -> Result:
    """Run pytest and count its tests from the report that it writes for machines."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = command("pytest", "-q", f"--junitxml={report}", *arguments)
        root = ElementTree.parse(report).getroot() if report.exists() else ElementTree.Element("none")
    rows = [{key: int(suite.get(key, 0)) for key in KEYS} for suite in root.iter("testsuite")]
    cases = root.iter("testcase")
    names = [f"{c.get('classname')} {c.get('name')}" for c in cases if {"failure", "error"} & {e.tag for e in c}]
    total = {key: sum(row[key] for row in rows) for key in KEYS}
    failed = total["failures"] + total["errors"]
    passed = total["tests"] - failed - total["skipped"]
    note = "no tests" if status == NO_TESTS else ""
    return Result(
        part, status in (0, NO_TESTS), passed, failed, total["skipped"], note, time.perf_counter() - start, names
    )


def unit() -> Result:
    """All tests under tests/ but the slow ones, with the share of trt_helpers that they reach."""
    result = pytest("unit tests", "tests", "-m", "not slow", "--cov=trt_helpers", "--cov-report=", *IN_PAIRS)
    shown = [sys.executable, "-m", "coverage", "report", "--format=total"]
    total = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    result.note = f"coverage {total} %" if total.isdigit() else "no coverage"
    return result


def slow() -> Result:
    """The tests marked slow. Some need Ray, some NVIDIA's bindings of other versions, which are fetched first."""
    if command("tools.extras", "scale"):
        return Result("slow tests", False, note="packages are missing, see above")
    if command("tools.nvidia_wheels"):
        return Result("slow tests", False, note="could not fetch NVIDIA's bindings for comparison")
    os.environ["TRT_HELPERS_REQUIRE_WHEELS"] = "1"  # from here on, missing is a failure and no reason to skip
    return pytest("slow tests", "tests", "-m", "slow")


def browser() -> Result:
    """The lessons in JupyterLab, and the built site, in a browser. Packages and browser are fetched if missing."""
    if command("tools.extras", "site", "browser"):
        return Result("browser tests", False, note="packages are missing, see above")
    if command("tools.chromium"):
        return Result("browser tests", False, note="no browser, see above")
    return pytest("browser tests", "tests/browser", *IN_PAIRS)


def ray_lessons() -> Result:
    """The lessons on Ray, the learner's and the solved ones, one after the other: each fills both cores."""
    if command("tools.extras", "scale"):
        return Result("lessons on Ray", False, note="packages are missing, see above")
    return notebooks("lessons on Ray", "notebooks", "notebooks/solutions", with_ray=True)


def notebooks(part: str, *folders: str, with_ray: bool = False) -> Result:
    """Run the notebooks of some folders, those on Ray or the others, and compare each cell's output."""
    found = [path for folder in folders for path in stored_notebooks(ROOT / folder)]
    found = [path for path in found if path.name.startswith(WITH_RAY) == with_ray]
    if not found:
        return Result(part, True, note="none yet")
    paths = [path.relative_to(ROOT).as_posix() for path in found]
    result = pytest(part, *NBVAL, *([] if with_ray else IN_PAIRS), *paths)
    # Of two tests whose names clash pytest-xdist runs one and says nothing: count, so that no cell is lost.
    cells = sum(cell.cell_type == "code" for path in found for cell in nbformat.read(path, 4).cells)
    run = result.passed + result.failed + result.skipped
    if run != cells:
        result.ok, result.note = False, f"{run} of {cells} cells were run"
    return result


PARTS = {
    "lint": lint,
    "unit": unit,
    "lessons": lambda: notebooks("lessons", "notebooks"),
    "slow": slow,
    "browser": browser,
    "solutions": lambda: notebooks("solutions", "notebooks/solutions"),
    "ray": ray_lessons,
}


def main(names: list[str]) -> int:
    """Run the named parts in order, print their lines and the count, and return the exit status."""
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    results = []
    for name in names:
        start = time.perf_counter()
        result = PARTS[name]()
        result.seconds = time.perf_counter() - start
        results.append(result)
    print("\n" + "\n".join(result.line() for result in results))
    # A part can fail without a failed test (lint, a crash). It counts as one: no failure may read "0 failed".
    failed = sum(result.failed if result.ok else max(1, result.failed) for result in results)
    passed = sum(result.passed for result in results)
    if passed or failed:
        print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
