"""The site's sources (tools/site): mended links, readable outputs. Building it is left to `make test-browser`."""

import ast
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.notebooks import ROOT
from tools.site.contents import find
from tools.site.links import mended, slug, with_places
from tools.site.outputs import INSTEAD, make_readable
from tools.site.pages import landing, notebook, solved_notebook, write_all


@pytest.fixture
def course(tmp_path):
    """A course with one lesson, its solution, a text, a model card and a module of two files."""
    files = {
        "README.md": "# Course\n\n| why? | lesson 1, *First steps*, *Who is `x`?* |\n\n[all](notebooks/solutions)\n",
        "CONTRIBUTING.md": "# Working on it\n",
        "Makefile": "all:\n",
        "docs/errors.md": "# Errors\n",
        "models/small/README.md": "# small\n",
        "trt_helpers/engine.py": "x = 1\n",
        "trt_helpers/legacy/old.py": "y = 2\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    cells = [new_markdown_cell("# 1 · Start\n\nSee `trt_helpers/engine.py`."), new_markdown_cell("## First steps")]
    cells.append(new_markdown_cell("## Who is `x`?"))
    for folder in ("notebooks", "notebooks/solutions"):
        (tmp_path / folder).mkdir(exist_ok=True)
        nbformat.write(new_notebook(cells=cells), tmp_path / folder / "01_start.ipynb")
    return find(tmp_path)


LESSON = "notebooks/01_start.ipynb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](01_start.ipynb)", "[a](01_start.ipynb)"),
        ("[a](01_start.ipynb#first-steps)", "[a](01_start.ipynb#first-steps)"),
        ("[`a`](../trt_helpers/engine.py)", "[`a`](../trt_helpers/engine.py.md)"),
        ("[a [b]](../models/small/README.md)", "[a [b]](../models/small/README.md)"),
        ("[module](../trt_helpers)", "[module](../trt_helpers/index.md)"),
        ("[module](../trt_helpers/)", "[module](../trt_helpers/index.md)"),
        ("[solved](solutions)", "[solved](solutions/index.md)"),
        ("the [rules](../Makefile) say", "the rules say"),
        ("[gone](../nowhere.md)", "[gone](../nowhere.md)"),
        ("[out](https://example.org/a#b)", "[out](https://example.org/a#b)"),
        ("[lesson 1, *First steps*](01_start.ipynb)", "[lesson 1, *First steps*](01_start.ipynb#first-steps)"),
        ("[lesson 1, *Unknown*](01_start.ipynb)", "[lesson 1, *Unknown*](01_start.ipynb)"),
        ("read `trt_helpers/engine.py`.", "read [`trt_helpers/engine.py`](../trt_helpers/engine.py.md)."),
        ("![alt](images/a.png)", "![alt](images/a.png)"),
        ("`[a](../Makefile)`", "`[a](../Makefile)`"),
        ("```\n[a](../Makefile)\n```\n[b](../Makefile)", "```\n[a](../Makefile)\n```\nb"),
    ],
)
def test_links_lead_somewhere_on_the_site(course, text, expected) -> None:
    assert mended(text, LESSON, course) == expected


def test_a_named_section_becomes_a_link_and_an_unknown_one_stays(course) -> None:
    known = with_places("lesson 1, *First steps*", "index.md", course)
    assert known == "lesson 1, [*First steps*](notebooks/01_start.ipynb#first-steps)"
    for text in ("lesson 1, *Nothing*", "lesson 9, *First steps*", "lesson 1 alone"):
        assert with_places(text, "index.md", course) == text


def test_the_landing_page_has_the_readme_and_all_of_the_navigation(course) -> None:
    page = landing(course)
    assert "[*Who is `x`?*](notebooks/01_start.ipynb#who-is-x)" in page
    assert "[all](notebooks/solutions/index.md)" in page
    listed = [row for block in re.findall(r"```\{toctree\}\n(.*?)```", page, re.DOTALL) for row in block.split("\n")]
    assert [row for row in listed if row and row[0] != ":"] == [
        "notebooks/01_start.ipynb",
        "docs/errors.md",
        "Model card: small <models/small/README.md>",
        "trt_helpers/index",
        "notebooks/solutions/index",
        "CONTRIBUTING",
    ]


def test_the_modules_files_are_pages_and_subpackages_come_last(course, tmp_path) -> None:
    write_all(course, tmp_path / "site")
    assert "x = 1" in (tmp_path / "site/trt_helpers/engine.py.md").read_text()
    listed = (tmp_path / "site/trt_helpers/index.md").read_text()
    assert listed.index("\nengine.py.md\n") < listed.index("\nlegacy/old.py.md\n")
    assert "\n01_start.ipynb\n" in (tmp_path / "site/notebooks/solutions/index.md").read_text()


def test_a_solved_lesson_says_so_and_is_not_searched(course) -> None:
    solved = nbformat.reads(solved_notebook("notebooks/solutions/01_start.ipynb", course), 4)
    assert solved.cells[0].source.startswith("# 1 · Start (solved)\n")
    assert solved.metadata["nosearch"] is True
    assert "nosearch" not in nbformat.reads(notebook(LESSON, course), 4).metadata


def shown(data: dict, metadata: dict | None = None) -> dict:
    output = new_output("display_data", data, metadata=metadata or {})
    make_readable(output)
    nbformat.validate(new_notebook(cells=[new_code_cell("", outputs=[output])]))
    return dict(output.data)


@pytest.mark.parametrize("metadata", [{"alt": 'a "b"'}, {"image/png": {"alt": 'a "b"', "width": 3}}])
def test_pictures_keep_their_alt_text(metadata) -> None:
    data = {"image/png": "QUJD\nREVG\n", "text/plain": "<Image>"}
    expected = '<img alt="a &quot;b&quot;" src="data:image/png;base64,QUJDREVG">'
    assert shown(data, metadata) == {"text/html": expected}


def test_a_drawing_stays_a_drawing() -> None:
    drawing = "<svg><title>a line</title></svg>"
    assert shown({"image/svg+xml": drawing, "text/plain": "<SVG>"}) == {"text/html": drawing}


def test_a_widgets_inside_is_replaced_by_a_sentence() -> None:
    text = "VBox(children=(Text(value='Paris', description='Sentence'),))"
    assert shown({"text/plain": text})["text/html"] == INSTEAD
    assert shown({"text/plain": text, "text/html": "<b>view</b>"})["text/html"] == "<b>view</b>"


@pytest.mark.parametrize("text", ["(True, 2)", "Profile(x=((1, 4), (4, 16), (8, 16)))", "[Candidate(word='a')]"])
def test_other_texts_are_left_alone(text) -> None:
    assert shown({"text/plain": text}) == {"text/plain": text}


def test_every_lesson_and_text_of_this_course_has_a_page() -> None:
    contents = find(ROOT)
    assert len(contents.lessons) == len(contents.solved) == len(list((ROOT / "lessons").glob("*.py")))
    assert {"docs/errors.md", "docs/contract.md", "models/masked-lm/README.md"} <= set(contents.texts)
    assert "trt_helpers/engine.py" in contents.code and "trt_helpers/errors.toml" in contents.code


def test_the_readmes_sections_exist() -> None:
    """The README's table of questions names sections of lessons: each must become a link."""
    named = len(re.findall(r"lesson \d+(?:, \*[^*\n|]+\*)+", (ROOT / "README.md").read_text()))
    linked = with_places((ROOT / "README.md").read_text(), "index.md", find(ROOT))
    assert named and len(re.findall(r"lesson \d+, \[\*", linked)) == named


def test_anchors_are_githubs() -> None:
    assert slug("From -1 to a shape") == "from--1-to-a-shape"
    assert slug("Who is `x`?") == "who-is-x"


def test_sphinx_is_told_to_execute_and_to_fetch_nothing() -> None:
    tree = ast.parse((ROOT / "docs/site/conf.py").read_text())
    rows = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    settings = {row.targets[0].id: ast.unparse(row.value) for row in rows}
    assert settings["nb_execution_mode"] == "'off'" and settings["nb_ipywidgets_js"] == "{}"
