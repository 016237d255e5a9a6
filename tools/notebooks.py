"""Make the notebooks from the lessons, run them, and tell when the two no longer agree.

    python -m tools.notebooks execute [01 ...]     build, run and store (all lessons, or the named ones)
    python -m tools.notebooks check                compare stored notebooks with lessons, running nothing

A notebook is written in one step after all its cells ran: a lesson that fails leaves the old one as it was.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tools.lessons import LessonError, build

ROOT = Path(__file__).resolve().parent.parent
CELL_TIMEOUT_S = 600  # against a cell that hangs; a busy machine may need minutes for one that waits for workers
# How lessons run when nobody watches: no progress bars (they would be stored), no network, no warning of
# the tokenizer about forked processes. The lane stays the user's choice: TRT_HELPERS_BACKEND is passed on.
LESSON_ENV = {"TRT_HELPERS_PROGRESS": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
# Ray's workers give way to all other programs (niceness 15), and it ends some when memory is short, whoever fills it:
# on a busy machine they would hardly get a turn.
LESSON_ENV |= {"RAY_worker_niceness": "0", "RAY_memory_monitor_refresh_ms": "0"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def lessons(root: Path, wanted: list[str] | None = None) -> list[Path]:
    """Return the lessons in order; `wanted` keeps those whose names start so ("01")."""
    found = sorted((root / "lessons").glob("*.py"))
    if not wanted:
        return found
    for start in wanted:
        if not any(path.name.startswith(start) for path in found):
            raise LessonError(f"no lesson is called {start}...: there are {[path.stem for path in found]}")
    return [path for path in found if path.name.startswith(tuple(wanted))]


def is_kept(path: Path) -> bool:
    """Tell whether a notebook is a learner's own copy, which `make pristine` put aside."""
    return re.search(r"\.mine(-\d+)?$", path.stem) is not None


def stored_notebooks(folder: Path) -> list[Path]:
    """Return the stored notebooks of a folder in order, without a learner's own copies."""
    return sorted(path for path in folder.glob("*.ipynb") if not is_kept(path))


def notebook_path(lesson: Path, solved: bool) -> Path:
    """Return where a lesson's notebook is stored: notebooks/, or notebooks/solutions/ for the solved one."""
    folder = lesson.parent.parent / "notebooks"
    return (folder / "solutions" if solved else folder) / f"{lesson.stem}.ipynb"


def run(notebook: NotebookNode, folder: Path, name: str) -> None:
    """Run all cells in `folder`, keeping their outputs; raise LessonError at the first that fails."""
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        # A kernel warns on the terminal that it talks over TCP; it does so on this machine only.
        extra_arguments=["--log-level=ERROR"],
    )
    with client.setup_kernel(env={**os.environ, **LESSON_ENV}):
        for position, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, position)
            except CellExecutionError as error:
                raise failure(name, position, cell, f"{error.ename}: {error.evalue}") from None
            except (CellTimeoutError, DeadKernelError) as error:
                raise failure(name, position, cell, f"{type(error).__name__}: {error}") from None
            expect_error(name, position, cell)
            drop_widget_views(cell)


def failure(name: str, position: int, cell: NotebookNode, what: str) -> LessonError:
    """Return the error that names lesson, cell and cause, and shows the cell."""
    source = "\n".join(f"    {line}" for line in cell.source.splitlines())
    return LessonError(f"{name}, cell {position + 1} failed: {what}\n{source}")


def expect_error(name: str, position: int, cell: NotebookNode) -> None:
    """Raise if a cell that is there to fail did not: the lesson's text would then be wrong."""
    kinds = [output.output_type for output in cell.get("outputs", [])]
    if "raises-exception" in cell.metadata.get("tags", []) and "error" not in kinds:
        raise failure(name, position, cell, "it is tagged raises-exception and raised nothing")


def drop_widget_views(cell: NotebookNode) -> None:
    """Keep a widget's text and drop its view: without the kernel a view is only an error message."""
    for output in cell.get("outputs", []):
        output.get("data", {}).pop(WIDGET_VIEW, None)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook in one step, so that nobody ever meets half of it."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as part:
        try:
            nbformat.write(notebook, part)
            part.close()
            os.chmod(part.name, 0o644)
            os.replace(part.name, path)
        finally:
            Path(part.name).unlink(missing_ok=True)


def execute(lesson: Path, solved: bool) -> str:
    """Build, run and store one notebook; return a line about it."""
    path = notebook_path(lesson, solved)
    name = f"{lesson.name} ({'solutions' if solved else 'learner'})"
    start = time.perf_counter()
    notebook = build(lesson, solved)
    path.parent.mkdir(parents=True, exist_ok=True)
    run(notebook, path.parent, name)
    write(notebook, path)
    return f"{name}: {len(notebook.cells)} cells, {time.perf_counter() - start:.1f} s"


def summary(notebook: NotebookNode) -> list[tuple[str, str, list[str]]]:
    """Return what must agree between lesson and notebook: kind, text and tags of every cell, in order."""
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def drift(root: Path) -> Iterator[str]:
    """Yield a sentence for every notebook that is missing, left over, or not what its lesson says."""
    made = [(lesson, solved) for lesson in lessons(root) for solved in (False, True)]
    expected = {notebook_path(*pair): pair for pair in made}
    for path in sorted({*expected, *(root / "notebooks").glob("**/*.ipynb")}):
        name = path.relative_to(root).as_posix()
        if ".ipynb_checkpoints" in name or is_kept(path):
            continue
        if path not in expected:
            yield f"{name} has no lesson"
        elif not path.exists():
            yield f"{name} is missing: run `make notebooks`"
        else:
            yield from differences(name, nbformat.read(path, 4), build(*expected[path]))


def differences(name: str, stored: NotebookNode, built: NotebookNode) -> Iterator[str]:
    """Yield where a stored notebook first leaves its lesson."""
    old, new = summary(stored), summary(built)
    for position, (have, want) in enumerate(zip(old, new, strict=False), 1):
        if have != want:
            yield f"{name}, cell {position} is not what its lesson says: run `make notebooks`"
            return
    if len(old) != len(new):
        yield f"{name} has {len(old)} cells and its lesson makes {len(new)}: run `make notebooks`"


def execute_all(root: Path, wanted: list[str]) -> bool:
    """Execute both notebooks of every wanted lesson, going on after a failure; return whether all is well."""
    fine = True
    for lesson in lessons(root, wanted):
        for solved in (False, True):
            try:
                print(execute(lesson, solved), flush=True)
            except LessonError as error:
                print(f"{error}\nThe stored notebook was left as it was.", file=sys.stderr, flush=True)
                fine = False
    return fine


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["execute", "check"])
    parser.add_argument("lesson", nargs="*", help="first letters of lessons to execute, such as 01")
    options = parser.parse_args(arguments)
    try:
        if options.command == "execute":
            return 0 if execute_all(root, options.lesson) else 1
        complaints = list(drift(root))
    except LessonError as error:
        complaints = [str(error)]
    print("\n".join(complaints) or "notebooks and lessons agree")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
