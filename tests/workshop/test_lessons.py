"""From the text of a lesson to its two notebooks (tools/lessons.py)."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.lessons import LessonError, build

EXERCISE = """\
# %% tags=["exercise"]
import math
# --- stub
shape = ...
# --- solution
shape = (2, 3)
size = math.prod(shape)
# --- check
print(shape)
"""
LESSON = f"""\
# %% [markdown]
# # Title

# %% tags=["nbval-ignore-output"]
import trt_helpers as th

# %%
# %xmode Minimal

{EXERCISE}
# %% [markdown]
# The end.
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    path = tmp_path / "lessons" / "01_try.py"
    path.parent.mkdir()
    path.write_text(LESSON)
    return path


def sources(notebook, kind="code"):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_learner_gets_stub_check_and_folded_solution(lesson) -> None:
    cells = build(lesson, solved=False).cells
    assert cells[3].source == "import math\nshape = ...\nprint(shape)"
    assert cells[4].cell_type == "markdown"
    assert cells[4].source == (
        "<details><summary>Solution</summary>\n\n```python\nshape = (2, 3)\nsize = math.prod(shape)\n```\n\n</details>"
    )
    assert cells[5].source == "The end."


def test_solved_notebook_has_the_solution_and_nothing_folded(lesson) -> None:
    cells = build(lesson, solved=True).cells
    assert cells[3].source == "import math\nshape = (2, 3)\nsize = math.prod(shape)\nprint(shape)"
    assert cells[4].source == "The end."


@pytest.mark.parametrize("solved", [False, True])
def test_marker_lines_appear_in_neither(lesson, solved) -> None:
    assert not re.search(r"# --- ", nbformat.writes(build(lesson, solved)))


def test_magics_and_tags_survive_and_nothing_else(lesson) -> None:
    notebook = build(lesson, solved=False)
    assert sources(notebook)[1] == "%xmode Minimal"
    assert notebook.cells[1].metadata == {"tags": ["nbval-ignore-output"]}
    assert notebook.cells[0].metadata == {}


def test_metadata_names_no_version_of_python(lesson) -> None:
    metadata = build(lesson, solved=False).metadata
    assert metadata.kernelspec.name == "python3"
    assert sorted(metadata) == ["kernelspec", "language_info"]
    assert not re.search(r"\d\.\d", nbformat.writes(build(lesson, solved=False)).split('"metadata"')[-1])


def test_ids_are_the_same_every_time_and_unique(lesson) -> None:
    lesson.write_text(LESSON + "\n# %%\n1\n\n# %%\n1\n")
    ids = [cell.id for cell in build(lesson, solved=False).cells]
    assert ids == [cell.id for cell in build(lesson, solved=False).cells]
    assert len(set(ids)) == len(ids)


def test_a_new_cell_renames_no_other(lesson) -> None:
    before = {cell.id for cell in build(lesson, solved=False).cells}
    lesson.write_text("# %% [markdown]\n# New\n\n" + LESSON)
    assert before < {cell.id for cell in build(lesson, solved=False).cells}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("# --- stub\n", "", "an exercise needs the lines"),
        ("# --- stub\nshape = ...\n# --- solution", "# --- solution\n1\n# --- stub", "in this order"),
        ("# --- check\n", "# --- chekc\n", "an exercise needs the lines"),
        ("# --- check\nprint(shape)", "# --- check", "must each have a line of code"),
        ('["exercise"]', '["lane-output"]', "has an exercise marker but not the tag"),
        ('["exercise"]', '["exercize"]', "unknown tag ['exercize']"),
        ("# %% [markdown]\n# The end.", "# %% [raw]\n# The end.", "a raw cell"),
    ],
)
def test_mistakes_are_named(lesson, old, new, complaint) -> None:
    assert old in LESSON
    lesson.write_text(LESSON.replace(old, new))
    with pytest.raises(LessonError) as caught:
        build(lesson, solved=False)
    assert complaint in str(caught.value)
    assert re.match(r"01_try\.py, cell \d", str(caught.value))


def test_links_of_the_solved_notebook_start_one_folder_deeper(lesson) -> None:
    text = "# %% [markdown]\n# ![a box](images/01.png) and [card](../models/x.md) and [next](02_next.ipynb)\n"
    lesson.write_text(text)
    assert build(lesson, solved=False).cells[0].source == text.splitlines()[1][2:]
    expected = "![a box](../images/01.png) and [card](../../models/x.md) and [next](02_next.ipynb)"
    assert build(lesson, solved=True).cells[0].source == expected
