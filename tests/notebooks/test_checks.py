"""Every check of tools/notebook_checks.py can fail: a good notebook passes, a broken one fails its own."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebook_checks as checks
from tools.questions import is_question, read_question

FOLDER = "/" + "home/ann"  # in two pieces, so that this file keeps the rule it tests
PNG = {"image/png": "iVBORw0KGgo="}


QUESTION = """Some text. **Before you run the
next cell:** what will it say?

- **A.** one
- **B.** two,
  or more

<details id="{}"><summary>Answer</summary>

- **A.** Not one,
  because it is two.
- **B is right.** Two.

</details>"""
EXERCISE = """### Exercise 1 · Change it (3 minutes)

Change one shape.

<details><summary>Hint 1</summary>

Look at the engine.

<details><summary>Hint 2</summary>

Ask it `twice`.

</details></details>"""
SOLUTION = "<details><summary>Solution</summary>\n\n```python\nx = 3\n```\n\n</details>"


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
            new_markdown_cell(QUESTION.format("first")),
            new_code_cell("2", execution_count=5),
            new_markdown_cell(QUESTION.format("second")),
            new_code_cell("2", execution_count=6),
            new_markdown_cell(QUESTION.format("third")),
            new_code_cell("2", execution_count=7),
            new_markdown_cell(EXERCISE),
            new_code_cell("x = ...", execution_count=8, metadata={"tags": ["exercise"]}),
            new_markdown_cell(SOLUTION),
        ]
    )


def result(count, data):
    return new_output("execute_result", data=data, execution_count=count)


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


@pytest.mark.parametrize("check", (*checks.CHECKS, *checks.LEARNERS_CHECKS), ids=lambda check: check.__name__)
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


def change(index, old, new):
    """Replace a piece of a cell's text, which must be there."""

    def apply(nb):
        assert old in nb.cells[index].source
        nb.cells[index].source = nb.cells[index].source.replace(old, new)

    return apply


FIRST, LAST, TEXT = 6, 10, 12  # the first question, the third, the exercise's text
ALL = (*checks.CHECKS, *checks.LEARNERS_CHECKS)
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
    (checks.narrow_cells, set_source(4, "x = 1\nx = '" + "1" * 96 + "'")),
    (checks.pictures_have_alt_text, set_source(0, "![](a.png)")),
    (checks.pictures_have_alt_text, set_source(0, "![ ](a.png)")),
    (checks.pictures_have_alt_text, set_source(0, '<img src="a.png">')),
    (checks.pictures_have_alt_text, set_source(0, '<img src="a.png" alt="">')),
    (checks.pictures_have_alt_text, set_outputs(3, new_output("display_data", data=PNG))),
    (checks.pictures_have_alt_text, set_outputs(3, result(3, {"image/svg+xml": "<svg></svg>"}))),
    (checks.pictures_have_alt_text, set_outputs(3, result(3, {"text/html": "<img src='data:'>"}))),
    (checks.pictures_work_in_colab, set_source(3, "Image(png, alt='a red square')")),
    (checks.pictures_work_in_colab, set_source(3, "x = 1\ndisplay(Image(png))")),
    (checks.pictures_work_in_colab, set_source(3, "display.Image(png)")),
    (checks.pictures_work_in_colab, set_source(3, "IPython.display.Image(png)")),
    (checks.no_terminal_colours, set_outputs(4, stream("\x1b[32mdone\x1b[0m\n"))),
    (checks.starts_with_the_package, set_source(1, "import torch")),
    (checks.questions_are_well_formed, change(FIRST, "**Before you run the\nnext cell:** what", "What")),
    (checks.questions_are_well_formed, change(FIRST, ' id="first"', "")),
    (checks.questions_are_well_formed, change(FIRST, "- **A.** one\n", "")),
    (checks.questions_are_well_formed, change(FIRST, "- **B.** two,\n  or more\n", "")),
    (checks.questions_are_well_formed, change(FIRST, "**B is right.**", "**B.**")),
    (checks.questions_are_well_formed, change(FIRST, "**A.** Not one", "**A is right.** Not one")),
    (checks.questions_are_well_formed, change(FIRST, "- **A.** Not one,\n  because it is two.\n", "")),
    (checks.questions_are_well_formed, change(FIRST, "**A.** Not one", "**C.** Not one")),
    (checks.questions_are_well_formed, change(FIRST, "\n\n</details>", "")),
    (checks.questions_are_well_formed, change(FIRST, "Answer</summary>\n", "Answer</summary>")),
    (checks.questions_are_well_formed, lambda nb: nb.cells.insert(FIRST + 1, new_markdown_cell("It is two."))),
    (checks.questions_are_well_formed, lambda nb: nb.cells.append(new_markdown_cell(QUESTION.format("late")))),
    (checks.enough_questions, set_source(LAST, "Two it is.")),
    (checks.enough_questions, change(LAST, 'id="third"', 'id="first"')),
    (checks.exercises_have_minutes_and_hints, change(TEXT, " (3 minutes)", "")),
    (checks.exercises_have_minutes_and_hints, change(TEXT, "Exercise 1", "Exercise 2")),
    (checks.exercises_have_minutes_and_hints, change(TEXT, "Hint 2", "Hint")),
    (checks.exercises_have_minutes_and_hints, change(TEXT, "<details><summary>Hint 2</summary>\n\n", "")),
    (checks.exercises_have_minutes_and_hints, change(TEXT, "Look at the engine.\n\n", "")),
    # side by side, not one inside the other
    (checks.exercises_have_minutes_and_hints, change(TEXT, "engine.\n", "engine.\n\n</details>\n")),
    (checks.exercises_have_minutes_and_hints, lambda nb: nb.cells.pop(TEXT)),
    (checks.exercises_have_a_folded_solution, lambda nb: nb.cells.pop()),
    (checks.exercises_have_a_folded_solution, change(-1, "Solution", "Hint")),
    (checks.exercises_have_a_folded_solution, change(-1, "x = 3", "")),
]


@pytest.mark.parametrize(("check", "break_it"), BREAKS, ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_notebook_fails(check, break_it) -> None:
    notebook = good()
    break_it(notebook)
    assert len(list(check(notebook))) >= 1


def test_every_check_has_a_broken_notebook() -> None:
    assert {check for check, _ in BREAKS} == set(ALL)


def test_complaints_name_the_cell() -> None:
    notebook = good()
    never_run(notebook)
    assert list(checks.executed_in_order(notebook))[0] == "cell 4: execution count None, expected 3"


def test_twenty_five_lines_are_allowed() -> None:
    notebook = good()
    notebook.cells[4].source = "\n\n".join(["x = 1"] * 25)
    assert list(checks.short_cells(notebook)) == []


def test_a_hundred_columns_are_allowed_and_one_more_is_counted() -> None:
    notebook = good()
    notebook.cells[4].source = "x = 1\nx = '" + "1" * 94 + "'"
    assert list(checks.narrow_cells(notebook)) == []
    notebook.cells[4].source += "#"
    assert list(checks.narrow_cells(notebook)) == [f"cell 5: 101 columns, at most 100: x = '{'1' * 55}"]


def test_svg_with_a_title_needs_no_more() -> None:
    notebook = good()
    notebook.cells[3].outputs = [result(3, {"image/svg+xml": "<svg><title>a timeline</title></svg>"})]
    assert list(checks.pictures_have_alt_text(notebook)) == []


def test_a_picture_of_ones_own_is_sent_to_the_helper() -> None:
    notebook = good()
    notebook.cells[3].source = "Image(png, alt='a red square')"
    (complaint,) = checks.pictures_work_in_colab(notebook)
    assert complaint.startswith("cell 4: please show the picture with course.picture(png, alt=...)")
    assert "stops in Colab" in complaint


@pytest.mark.parametrize("source", ["course.picture(png, alt='')", "widgets.Image(value=png)", "PIL.Image.open(file)"])
def test_other_pictures_are_left_alone(source) -> None:
    notebook = good()
    notebook.cells[3].source = source
    assert list(checks.pictures_work_in_colab(notebook)) == []


def test_a_question_is_taken_apart() -> None:
    question = read_question(QUESTION.format("two-or-more"))
    assert (question.id, question.right) == ("two-or-more", ("B",))
    assert question.text == "Some text. **Before you run the next cell:** what will it say?"
    assert question.options == {"A": "one", "B": "two, or more"}
    assert question.reasons == {"A": "Not one, because it is two.", "B": "Two."}


def test_other_text_is_no_question() -> None:
    assert read_question("**Before you run the next cell:** what will it say?") is None
    assert not is_question("<details><summary>Hint 1</summary>\n\nlook\n\n</details>")


def test_a_solved_notebook_needs_no_folded_solution() -> None:
    notebook = good()
    notebook.cells.pop()
    assert [row for check in checks.CHECKS for row in check(notebook)] == []
