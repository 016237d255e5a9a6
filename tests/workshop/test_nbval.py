"""What comparing lessons rests on: nbval, strict and with our options, notices every kind of change."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import ROOT, main
from tools.run_checks import IN_PAIRS, NBVAL

pytestmark = pytest.mark.slow
LESSON = """\
# %%
import time
from IPython.display import display, HTML
print("stable")

# %%
shape = (2, 3)
shape

# %% tags=["raises-exception"]
# %xmode Minimal
raise ValueError("9 is more than 8")

# %%
now = time.perf_counter() % 1
print(f"one run {now + 10:.1f} ms"); print(f"all took {now * 20:8.2f} s", object())

# %% tags=["nbval-ignore-output"]
time.perf_counter()

# %%
display(HTML("<b>bold</b>"))

# %%
4
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("course")
    (root / "lessons").mkdir()
    (root / "lessons/01_try.py").write_text(LESSON)
    assert main(["execute"], root) == 0
    return root / "notebooks/01_try.ipynb"


def compare(*paths: Path, options: Sequence[str] = ()) -> tuple[int, str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "pyproject.toml",
        "--rootdir",
        str(paths[0].parent),
    ]
    command += ["-p", "no:cacheprovider", *NBVAL, *options, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout


def changed(notebook: Path, change) -> Path:
    copy = nbformat.read(notebook, 4)
    change(copy.cells)
    path = notebook.with_name("changed.ipynb")
    nbformat.write(copy, path)
    return path


def test_a_notebook_agrees_with_itself_though_times_and_addresses_differ(notebook) -> None:
    status, shown = compare(notebook)
    assert status == 0 and "7 passed" in shown, shown


def test_two_notebooks_run_side_by_side(notebook) -> None:
    other = notebook.with_name("other.ipynb")
    other.write_bytes(notebook.read_bytes())
    status, shown = compare(notebook, other, options=IN_PAIRS)
    assert status == 0 and "14 passed" in shown, shown


CHANGES = {
    "printed text": (0, lambda cells: cells[0].outputs[0].update(text="stale\n")),
    "result": (1, lambda cells: cells[1].outputs[0].data.update({"text/plain": "(2, 4)"})),
    "missing output": (0, lambda cells: cells[0].update(outputs=[])),
    "error message": (2, lambda cells: cells[2].outputs[-1].update(evalue="9 is more than 7")),
    "kind of error": (2, lambda cells: cells[2].outputs[-1].update(ename="TypeError")),
    "raises no longer": (2, lambda cells: cells[2].update(source="pass")),
    "raises untagged": (2, lambda cells: cells[2].update(metadata={})),
    "text beside a latency": (3, lambda cells: cells[3].outputs[0].update(text="two runs 1.0 ms\n")),
    "html": (5, lambda cells: cells[5].outputs[0].data.update({"text/html": "<b>thin</b>"})),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noticed(notebook, name) -> None:
    cell, change = CHANGES[name]
    status, shown = compare(changed(notebook, change))
    assert status == 1 and "1 failed, 6 passed" in shown, shown
    assert re.search(rf"FAILED .*::Cell {cell}\b", shown), shown


def test_a_cell_without_a_count_is_not_compared(notebook) -> None:
    """Why tools/notebook_checks.py insists on counts. When this fails, nbval has improved."""
    path = changed(notebook, lambda cells: cells[1].update(execution_count=None, outputs=[]))
    assert compare(path)[0] == 0
