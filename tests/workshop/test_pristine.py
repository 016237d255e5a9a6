"""`make pristine`: an untouched lesson comes back, and the learner's own copy is never lost (tools/pristine.py)."""

import subprocess
from pathlib import Path

import nbformat
import pytest

from tools import pristine
from tools.lessons import build
from tools.notebooks import drift, write

LESSON = """\
# %% [markdown]
# # Title

# %% tags=["exercise"]
# --- stub
x = ...
# --- solution
x = 3
# --- check
print(x)
"""
NOTEBOOK, MINE = "notebooks/01_try.ipynb", "notebooks/01_try.mine.ipynb"


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def course(tmp_path) -> Path:
    """A course of one lesson with both notebooks, in no repository."""
    (tmp_path / "lessons").mkdir()
    lesson = tmp_path / "lessons/01_try.py"
    lesson.write_text(LESSON)
    learners = build(lesson, solved=False)
    learners.cells[1].update(execution_count=1, outputs=[nbformat.v4.new_output("stream", text="Ellipsis\n")])
    write(learners, tmp_path / NOTEBOOK)
    write(build(lesson, solved=True), tmp_path / "notebooks/solutions/01_try.ipynb")
    return tmp_path


@pytest.fixture
def tracked(course) -> Path:
    """The same in a repository."""
    git(course, "init", "-q")
    git(course, "add", "-A")
    git(course, "commit", "-qm", "first")
    return course


@pytest.fixture(params=["course", "tracked"])
def either(request) -> Path:
    return request.getfixturevalue(request.param)


def edit(root: Path, code: str) -> str:
    notebook = nbformat.read(root / NOTEBOOK, 4)
    notebook.cells[1].source = code
    nbformat.write(notebook, root / NOTEBOOK)
    return (root / NOTEBOOK).read_text()


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, 4).cells]


def test_the_stored_notebook_comes_back_with_its_outputs(tracked, capsys) -> None:
    before = (tracked / NOTEBOOK).read_bytes()
    mine = edit(tracked, "x = 4")
    assert pristine.main(["01"], tracked) == 0
    assert (tracked / NOTEBOOK).read_bytes() == before
    assert (tracked / MINE).read_text() == mine
    assert "01_try.ipynb is as it was at first. Yours is now 01_try.mine.ipynb." in capsys.readouterr().out


def test_a_notebook_that_was_run_again_is_kept_when_the_first_outputs_are_stored(tracked) -> None:
    before = (tracked / NOTEBOOK).read_text()
    (tracked / NOTEBOOK).write_text(before.replace("Ellipsis", "3"))
    assert pristine.main(["01"], tracked) == 0
    assert (tracked / NOTEBOOK).read_text() == before
    assert (tracked / MINE).exists()


def test_a_commit_of_ones_own_work_is_not_taken_for_the_lesson(tracked) -> None:
    edit(tracked, "x = 4")
    git(tracked, "commit", "-qam", "solved")
    assert pristine.main(["01"], tracked) == 0
    assert sources(tracked / NOTEBOOK)[1] == "x = ...\nprint(x)"
    assert sources(tracked / MINE)[1] == "x = 4"


def test_without_git_it_is_built_from_the_lesson(course) -> None:
    mine = edit(course, "x = 4")
    assert pristine.main(["01"], course) == 0
    assert sources(course / NOTEBOOK)[1] == "x = ...\nprint(x)"
    assert (course / MINE).read_text() == mine


def test_an_untouched_notebook_is_left_as_it_is(either, capsys) -> None:
    before = (either / NOTEBOOK).read_bytes()
    assert pristine.main(["01"], either) == 0
    assert (either / NOTEBOOK).read_bytes() == before
    assert not (either / MINE).exists()
    assert "is untouched" in capsys.readouterr().out


def test_every_copy_is_kept(either) -> None:
    texts = []
    for number in range(3):
        texts.append(edit(either, f"x = {number}"))
        assert pristine.main(["01"], either) == 0
    names = [MINE, "notebooks/01_try.mine-2.ipynb", "notebooks/01_try.mine-3.ipynb"]
    assert [(either / name).read_text() for name in names] == texts


def test_a_file_that_is_no_notebook_is_kept_too(either) -> None:
    (either / NOTEBOOK).write_bytes(b"half of a notebook \xff")
    assert pristine.main(["01"], either) == 0
    assert (either / MINE).read_bytes() == b"half of a notebook \xff"
    assert sources(either / NOTEBOOK)[1] == "x = ...\nprint(x)"


def test_a_deleted_notebook_comes_back(either) -> None:
    (either / NOTEBOOK).unlink()
    assert pristine.main(["01"], either) == 0
    assert sources(either / NOTEBOOK)[1] == "x = ...\nprint(x)"
    assert not (either / MINE).exists()


def test_what_is_committed_but_never_stored_is_built(course) -> None:
    git(course, "init", "-q")  # a repository without a commit: an unpacked archive, say
    edit(course, "x = 4")
    assert pristine.main(["01"], course) == 0
    assert sources(course / NOTEBOOK)[1] == "x = ...\nprint(x)"


def test_without_the_program_git_it_is_built(course, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    edit(course, "x = 4")
    assert pristine.main(["01"], course) == 0
    assert (course / MINE).exists()


def test_a_failure_leaves_the_learners_notebook_where_it_was(course, monkeypatch) -> None:
    mine = edit(course, "x = 4")
    monkeypatch.setattr(pristine, "write_fresh", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pristine.main(["01"], course)
    assert (course / NOTEBOOK).read_text() == mine
    assert sorted(path.name for path in (course / "notebooks").iterdir()) == ["01_try.ipynb", "solutions"]


def test_kept_copies_are_no_drift(either) -> None:
    edit(either, "x = 4")
    pristine.main(["01"], either)
    assert (either / MINE).exists()
    assert list(drift(either)) == []


@pytest.mark.parametrize(("asked", "words"), [([], "which lesson? 01_try"), (["07"], "no lesson is called 07")])
def test_a_lesson_must_be_named(course, capsys, asked, words) -> None:
    assert pristine.main(asked, course) == 1
    assert words in capsys.readouterr().err
