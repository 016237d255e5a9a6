"""The stored notebooks: each follows every rule of tools/notebook_checks.py, and agrees with its lesson."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.notebook_checks import CHECKS, LEARNERS_CHECKS
from tools.notebooks import ROOT, drift, lessons, notebook_path, stored_notebooks

LEARNERS = [notebook_path(lesson, solved=False) for lesson in lessons(ROOT)]
NOTEBOOKS = [*LEARNERS, *(notebook_path(lesson, solved=True) for lesson in lessons(ROOT))]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())
def test_notebook_follows_the_rule(path: Path, check) -> None:
    assert list(check(nbformat.read(path, 4))) == []


@pytest.mark.parametrize("check", LEARNERS_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", LEARNERS, ids=lambda path: path.stem)
def test_the_learners_notebook_follows_the_rule(path: Path, check) -> None:
    assert list(check(nbformat.read(path, 4))) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())
def test_stubs_are_met_kindly_and_solutions_are_right(path: Path) -> None:
    verdict = "Right." if path.parent.name == "solutions" else "Not solved yet"
    cells = [cell for cell in nbformat.read(path, 4).cells if "exercise" in cell.metadata.get("tags", [])]
    assert 2 <= len(cells) <= 4
    for cell in cells:
        assert "".join(output.get("text", "") for output in cell.outputs).startswith(verdict)


def test_notebooks_agree_with_their_lessons() -> None:
    assert list(drift(ROOT)) == []


def test_lessons_and_notebooks_hold_the_same_names() -> None:
    names = [path.stem for path in lessons(ROOT)]
    assert [path.stem for path in stored_notebooks(ROOT / "notebooks")] == names
    assert sorted(path.stem for path in (ROOT / "notebooks/solutions").glob("*.ipynb")) == names


def test_lessons_are_named_by_number_and_no_number_twice() -> None:
    names = [path.stem for path in lessons(ROOT)]
    assert all(re.fullmatch(r"\d\d_[a-z0-9_]+", name) for name in names)
    assert len({name[:2] for name in names}) == len(names)
