"""Running lessons, storing notebooks, noticing drift (tools/notebooks.py). Each run starts a real kernel."""

from pathlib import Path

import nbformat
import pytest

from tools.notebooks import LessonError, drift, lessons, main, write

# Each starts kernels of its own.
pytestmark = pytest.mark.slow

LESSON = """\
# %% [markdown]
# # Title

# %%
import os, sys
from pathlib import Path
import ipywidgets

os.environ["TRT_HELPERS_PROGRESS"], os.environ["HF_HUB_OFFLINE"], os.environ.get("TRT_HELPERS_BACKEND")

# %%
print("one"); print("two", flush=True); sys.stdout.write("three")

# %%
Path().resolve().name

# %%
ipywidgets.HTML("hello")

# %% tags=["raises-exception"]
1 / 0

# %% tags=["exercise"]
# --- stub
x = ...
# --- solution
x = 3
# --- check
print(x)
"""


def make(root: Path, text: str, name: str = "01_try") -> Path:
    (root / "lessons").mkdir(exist_ok=True, parents=True)
    path = root / "lessons" / f"{name}.py"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("course")
    make(root, LESSON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRT_HELPERS_BACKEND", "reference")
        assert main(["execute"], root) == 0
    return root


@pytest.fixture
def learner(course):
    return nbformat.read(course / "notebooks/01_try.ipynb", 4)


def test_lessons_run_quietly_offline_and_in_the_users_lane(learner) -> None:
    assert learner.cells[1].outputs[0].data["text/plain"] == "('0', '1', 'reference')"


def test_streams_are_merged(learner) -> None:
    streams = [output for output in learner.cells[2].outputs if output.output_type == "stream"]
    assert [output.text for output in streams] == ["one\ntwo\nthree"]


def test_a_lesson_runs_in_the_folder_of_its_notebook(course, learner) -> None:
    assert learner.cells[3].outputs[0].data["text/plain"] == "'notebooks'"
    solved = nbformat.read(course / "notebooks/solutions/01_try.ipynb", 4)
    assert solved.cells[3].outputs[0].data["text/plain"] == "'solutions'"


def test_widgets_leave_their_text_only(learner) -> None:
    assert "widgets" not in learner.metadata
    assert dict(learner.cells[4].outputs[0].data) == {"text/plain": "HTML(value='hello')"}


def test_counts_are_stored_and_times_are_not(learner) -> None:
    code = [cell for cell in learner.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5, 6]
    assert all(set(cell.metadata) <= {"tags"} for cell in code)


def test_learner_prints_the_stub_and_solution_the_answer(course, learner) -> None:
    assert learner.cells[6].outputs[0].text == "Ellipsis\n"
    solved = nbformat.read(course / "notebooks/solutions/01_try.ipynb", 4)
    assert solved.cells[6].outputs[0].text == "3\n"


def test_running_again_gives_the_same_bytes(course, monkeypatch) -> None:
    path = course / "notebooks/01_try.ipynb"
    before = path.read_bytes()
    monkeypatch.setenv("TRT_HELPERS_BACKEND", "reference")
    assert main(["execute", "01"], course) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("# %%\nint('a')", "cell 1 failed: ValueError: invalid literal for int() with base 10: 'a'"),
        ('# %% tags=["raises-exception"]\n1', "it is tagged raises-exception and raised nothing"),
        ("# %%\nimport os; os._exit(1)", "cell 1 failed: DeadKernelError"),
    ],
)
def test_a_failure_is_named_and_leaves_the_old_notebook(tmp_path, capsys, cell, complaint) -> None:
    make(tmp_path, cell)
    stored = tmp_path / "notebooks/01_try.ipynb"
    stored.parent.mkdir()
    stored.write_text("old")
    assert main(["execute"], tmp_path) == 1
    shown = capsys.readouterr().err
    assert complaint in shown and "01_try.py (learner)" in shown
    assert stored.read_text() == "old"
    assert [path.name for path in tmp_path.glob("notebooks/*.*")] == ["01_try.ipynb"]


def test_a_write_that_fails_leaves_the_old_notebook(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text("old")
    monkeypatch.setattr(nbformat, "write", lambda notebook, file: file.write("half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(nbformat.v4.new_notebook(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_drift_after_a_run(course) -> None:
    assert list(drift(course)) == []
    assert main(["check"], course) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# # Title", "# # Other title"),
        ("x = 3", "x = 4"),
        ("x = ...", "x = None"),
        ('# %% tags=["raises-exception"]\n1 / 0\n\n', ""),
        ('# %% tags=["raises-exception"]', "# %%"),
        ("# %%\nPath()", "# %% [markdown]\n# Path()"),
        ("print(x)\n", "print(x)\n\n# %%\n5\n"),
    ],
)
def test_every_change_of_a_lesson_is_drift(course, old, new) -> None:
    lesson = course / "lessons/01_try.py"
    assert old in LESSON
    try:
        lesson.write_text(LESSON.replace(old, new))
        assert any("make notebooks" in complaint for complaint in drift(course))
        assert main(["check"], course) == 1
    finally:
        lesson.write_text(LESSON)


def test_missing_and_left_over_notebooks_are_drift(tmp_path) -> None:
    make(tmp_path, "# %%\n1\n", "01_new")
    write(nbformat.v4.new_notebook(), tmp_path / "notebooks/02_old.ipynb")
    assert list(drift(tmp_path)) == [
        "notebooks/01_new.ipynb is missing: run `make notebooks`",
        "notebooks/02_old.ipynb has no lesson",
        "notebooks/solutions/01_new.ipynb is missing: run `make notebooks`",
    ]


def test_a_lesson_is_chosen_by_its_first_letters(tmp_path) -> None:
    first, second = make(tmp_path, "", "01_a"), make(tmp_path, "", "02_b")
    assert lessons(tmp_path) == [first, second]
    assert lessons(tmp_path, ["02"]) == [second]
    with pytest.raises(LessonError, match="no lesson is called 03"):
        lessons(tmp_path, ["03"])
