"""Every check of tools/notebook_checks.py can fail: a good notebook passes, a broken one fails its own."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebook_checks as checks

FOLDER = "/" + "home/ann"  # in two pieces, so that this file keeps the rule it tests
PNG = {"image/png": "iVBORw0KGgo="}


def good():
    """Return a notebook that follows every rule and uses all that the rules look at."""
    error = new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[39m: no"])
    picture = new_output("display_data", data=PNG, metadata={"image/png": {"alt": "a red square"}})
    return new_notebook(
        cells=[
            new_markdown_cell('# Title\n![a stream](a.png) <img src="b.png" alt="b">\n```\n![](a.png)\n```'),
            new_code_cell("import trt_helpers as th", execution_count=1),
            new_code_cell("1/0", execution_count=2, outputs=[error], metadata={"tags": ["raises-exception"]}),
            new_code_cell("draw()", execution_count=3, outputs=[picture]),
            new_code_cell("2", execution_count=4, outputs=[result(4, {"text/plain": "2"})]),
            new_code_cell(""),
        ]
    )


def result(count, data):
    return new_output("execute_result", data=data, execution_count=count)


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_good_notebook_passes(check, tmp_path) -> None:
    nbformat.write(good(), tmp_path / "good.ipynb")
    assert list(check(nbformat.read(tmp_path / "good.ipynb", 4))) == []


def never_run(nb):
    nb.cells[3].execution_count = None


def run_out_of_order(nb):
    nb.cells[2].execution_count, nb.cells[3].execution_count = 3, 2


def run_twice(nb):
    nb.cells[4].execution_count = 9


def no_tag(nb):
    nb.cells[2].metadata = {}


def raised_nothing(nb):
    nb.cells[2].outputs = []


def set_source(index, source):
    return lambda nb: nb.cells[index].update(source=source)


def set_outputs(index, *outputs):
    return lambda nb: nb.cells[index].update(outputs=list(outputs))


BREAKS = [
    (checks.valid, lambda nb: nb.cells[4].update(outputs=[{"output_type": "nonsense"}])),
    (checks.valid, lambda nb: nb.cells[4].pop("source")),
    (checks.executed_in_order, never_run),
    (checks.executed_in_order, run_out_of_order),
    (checks.executed_in_order, run_twice),
    (checks.no_widget_state, lambda nb: nb.metadata.update(widgets={})),
    (checks.no_machine_paths, set_source(0, f"see {FOLDER}/x.py")),
    (checks.no_machine_paths, set_source(4, "open('" + "/" + "tmp/x.plan')")),
    (checks.no_machine_paths, set_outputs(4, stream(f"saved {FOLDER}/x\n"))),
    (checks.no_machine_paths, set_outputs(4, stream("C:\\" + "Users\\ann\n"))),
    (checks.no_machine_paths, set_outputs(4, result(4, {"text/html": f"<b>{FOLDER}/x</b>"}))),
    (
        checks.no_machine_paths,
        set_outputs(2, new_output("error", ename="E", evalue=f"{FOLDER}/x", traceback=[])),
    ),
    (
        checks.no_machine_paths,
        set_outputs(2, new_output("error", ename="E", traceback=[f"File {FOLDER}/x.py"])),
    ),
    (checks.no_stderr, set_outputs(4, stream("UserWarning\n", name="stderr"))),
    (checks.errors_on_purpose, no_tag),
    (checks.errors_on_purpose, raised_nothing),
    (checks.short_cells, set_source(4, "\n\n".join(["x = 1"] * 26))),
    (checks.pictures_have_alt_text, set_source(0, "![](a.png)")),
    (checks.pictures_have_alt_text, set_source(0, "![ ](a.png)")),
    (checks.pictures_have_alt_text, set_source(0, '<img src="a.png">')),
    (checks.pictures_have_alt_text, set_source(0, '<img src="a.png" alt="">')),
    (checks.pictures_have_alt_text, set_outputs(3, new_output("display_data", data=PNG))),
    (checks.pictures_have_alt_text, set_outputs(3, result(3, {"image/svg+xml": "<svg></svg>"}))),
    (checks.pictures_have_alt_text, set_outputs(3, result(3, {"text/html": "<img src='data:'>"}))),
    (checks.no_terminal_colours, set_outputs(4, stream("\x1b[32mdone\x1b[0m\n"))),
    (checks.starts_with_the_package, set_source(1, "import torch")),
]


@pytest.mark.parametrize(("check", "break_it"), BREAKS, ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_notebook_fails(check, break_it) -> None:
    notebook = good()
    break_it(notebook)
    assert len(list(check(notebook))) >= 1


def test_every_check_has_a_broken_notebook() -> None:
    assert {check for check, _ in BREAKS} == set(checks.CHECKS)


def test_complaints_name_the_cell() -> None:
    notebook = good()
    never_run(notebook)
    assert list(checks.executed_in_order(notebook))[0] == "cell 4: execution count None, expected 3"


def test_twenty_five_lines_are_allowed() -> None:
    notebook = good()
    notebook.cells[4].source = "\n\n".join(["x = 1"] * 25)
    assert list(checks.short_cells(notebook)) == []


def test_svg_with_a_title_needs_no_more() -> None:
    notebook = good()
    notebook.cells[3].outputs = [result(3, {"image/svg+xml": "<svg><title>a timeline</title></svg>"})]
    assert list(checks.pictures_have_alt_text(notebook)) == []
