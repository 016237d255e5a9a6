"""What every stored notebook must be like. Each check takes a notebook and yields what is wrong, in words.

nbval compares outputs, but it compares nothing in a cell that was never run, and no picture. These checks see
to the rest. Each is tested against notebooks broken on purpose (tests/notebooks/test_checks.py).
"""

import re
from collections.abc import Callable, Iterator

import nbformat
from nbformat import NotebookNode

from tools.questions import is_question, questions_of, read_question

MOST_LINES, MOST_COLUMNS = 25, 100
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:root|home|tmp|work|opt|var|mnt|srv|Users|usr/(?:lib|local))/[\w.-]+|\b[A-Z]:\\+(?:Users|Windows|Program)"
)
MARKDOWN_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
HTML_PICTURE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
HTML_ALT = re.compile(r"""\balt=(?:"\s*[^"\s]|'\s*[^'\s])""", re.IGNORECASE)
# Not another library's (`widgets.Image`).
IPYTHON_PICTURE = re.compile(r"(?<![\w.])(?:display\.)?Image\(|\bIPython\.(?:core\.)?display\.Image\(")
FEWEST_QUESTIONS = 3
EXERCISE = re.compile(r"### Exercise (\d+) · \S.* \(\d+ minutes?\)\n")
# One after the other: the second hint can be reached only inside the first.
HINT = r"<details><summary>Hint {}</summary>\n\n(?:(?!</?details).)+\n\n"
HINTS = re.compile(rf"\n\n{HINT.format(1)}{HINT.format(2)}</details></details>\s*\Z", re.DOTALL)
FOLDED_SOLUTION = re.compile(r"<details><summary>Solution</summary>\n\n```python\n.+\n```\n\n</details>", re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
Check = Callable[[NotebookNode], Iterator[str]]


def code_cells(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Yield "cell N" and the cell, for every code cell that has code."""
    for position, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and cell.source.strip():
            yield f"cell {position}", cell


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode, NotebookNode]]:
    """Yield "cell N", the cell and the output, for every output."""
    for where, cell in code_cells(notebook):
        for output in cell.outputs:
            yield where, cell, output


def text_of(output: NotebookNode) -> str:
    """Return all that an output says in text: streams, texts of every kind, an error and its traceback."""
    data = output.get("data", {})
    texts = [str(data[kind]) for kind in data if kind.startswith(("text/", "image/svg"))]
    return "\n".join([output.get("text", ""), *texts, output.get("evalue", ""), *output.get("traceback", [])])


def valid(notebook: NotebookNode) -> Iterator[str]:
    """It follows Jupyter's schema."""
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"not a valid notebook: {error.message}"


def executed_in_order(notebook: NotebookNode) -> Iterator[str]:
    """Every cell was run once, from top to bottom: nbval compares nothing in a cell without a count."""
    for expected, (where, cell) in enumerate(code_cells(notebook), 1):
        if cell.execution_count != expected:
            yield f"{where}: execution count {cell.execution_count}, expected {expected}"


def no_widget_state(notebook: NotebookNode) -> Iterator[str]:
    """No widget state is stored: it is large, changes every time, and sites refuse to show the notebook."""
    if "widgets" in notebook.metadata:
        yield "metadata.widgets is stored"


def no_machine_paths(notebook: NotebookNode) -> Iterator[str]:
    """Neither text nor output names a folder of the machine that ran it."""
    for position, cell in enumerate(notebook.cells, 1):
        if found := MACHINE_PATH.search(cell.source):
            yield f"cell {position}: a machine's path in its text: {found.group(0)}"
    for where, _, output in outputs(notebook):
        if found := MACHINE_PATH.search(text_of(output)):
            yield f"{where}: a machine's path in its output: {found.group(0)}"


def no_stderr(notebook: NotebookNode) -> Iterator[str]:
    """Nothing was written to stderr: a warning in a lesson is either explained there or avoided."""
    for where, _, output in outputs(notebook):
        if output.get("name") == "stderr":
            yield f"{where}: stderr: {output.text.strip()[:80]}"


def errors_on_purpose(notebook: NotebookNode) -> Iterator[str]:
    """A cell ends in an error exactly when it is tagged raises-exception."""
    for where, cell in code_cells(notebook):
        raised = any(output.output_type == "error" for output in cell.outputs)
        tagged = "raises-exception" in cell.metadata.get("tags", [])
        if raised and not tagged:
            yield f"{where}: an error without the tag raises-exception"
        if tagged and not raised:
            yield f"{where}: tagged raises-exception and raised nothing"


def short_cells(notebook: NotebookNode) -> Iterator[str]:
    """No code cell is longer than a reader takes in at once."""
    for where, cell in code_cells(notebook):
        lines = sum(bool(line.strip()) for line in cell.source.splitlines())
        if lines > MOST_LINES:
            yield f"{where}: {lines} lines, at most {MOST_LINES}"


def narrow_cells(notebook: NotebookNode) -> Iterator[str]:
    """No line of code is wider than a notebook shows without scrolling."""
    for where, cell in code_cells(notebook):
        for line in cell.source.splitlines():
            if len(line) > MOST_COLUMNS:
                yield f"{where}: {len(line)} columns, at most {MOST_COLUMNS}: {line.strip()[:60]}"


def pictures_have_alt_text(notebook: NotebookNode) -> Iterator[str]:
    """Every picture says in words what it shows, for those who cannot see it."""
    for position, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            prose = FENCE.sub("", cell.source)
            if any(not alt.strip() for alt in MARKDOWN_PICTURE.findall(prose)) or html_without_alt(prose):
                yield f"cell {position}: a picture without alt text"
    for where, _, output in outputs(notebook):
        if html_without_alt(output.get("data", {}).get("text/html", "")) or pixels_without_alt(output):
            yield f"{where}: a picture without alt text (course.picture(png, alt=...) shows a PNG with one)"


def pictures_work_in_colab(notebook: NotebookNode) -> Iterator[str]:
    """No lesson calls IPython's Image itself: Colab's IPython 7.34 knows no alt=, and would stop there."""
    for where, cell in code_cells(notebook):
        if IPYTHON_PICTURE.search(cell.source):
            yield f"{where}: please show the picture with course.picture(png, alt=...): Image(..., alt=) stops in Colab"


def html_without_alt(text: str) -> bool:
    """Tell whether an <img> in the text has no alt text."""
    return any(not HTML_ALT.search(tag) for tag in HTML_PICTURE.findall(text))


def pixels_without_alt(output: NotebookNode) -> bool:
    """Tell whether a PNG, JPEG or SVG output has no alt text: in its metadata, or a title inside the SVG."""
    for kind, value in output.get("data", {}).items():
        if kind.startswith("image/"):
            metadata = output.get("metadata", {})
            alt = metadata.get(kind, {}).get("alt") or metadata.get("alt") or ""
            titled = kind == "image/svg+xml" and re.search(r"<title[^>]*>\s*\S|aria-label=", value)
            if not alt.strip() and not titled:
                return True
    return False


def no_terminal_colours(notebook: NotebookNode) -> Iterator[str]:
    """No escape codes outside tracebacks: progress bars and coloured logs are unreadable when stored."""
    for where, _, output in outputs(notebook):
        if output.output_type != "error" and "\x1b[" in text_of(output):
            yield f"{where}: terminal escape codes in its output"


def starts_with_the_package(notebook: NotebookNode) -> Iterator[str]:
    """One of the first two code cells imports trt_helpers, which chooses the lane."""
    first = [cell.source for _, cell in code_cells(notebook)][:2]
    if not any(re.search(r"^\s*(?:import|from) trt_helpers\b", source, re.MULTILINE) for source in first):
        yield "none of the first two code cells imports trt_helpers"


def questions_are_well_formed(notebook: NotebookNode) -> Iterator[str]:
    """Each question has options, one that is right, a reason for each, and stands before the cell that tells."""
    for position, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "markdown" or not is_question(cell.source):
            continue
        question = read_question(cell.source)
        if question is None:
            yield f"cell {position}: a question of another form than CONTRIBUTING.md shows"
            continue
        yield from (f"cell {position}, question {question.id}: {words}" for words in question.complaints())
        if [after.cell_type for after in notebook.cells[position : position + 1]] != ["code"]:
            yield f"cell {position}, question {question.id}: no code cell follows that would tell"


def enough_questions(notebook: NotebookNode) -> Iterator[str]:
    """A lesson asks at least three times, under ids of their own."""
    names = [question.id for question in questions_of(notebook.cells)]
    if len(names) < FEWEST_QUESTIONS:
        yield f"{len(names)} questions, expected {FEWEST_QUESTIONS} or more"
    if len(set(names)) < len(names):
        yield f"two questions have the same id: {', '.join(names)}"


def exercises(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode, list[NotebookNode]]]:
    """Yield "cell N" of every exercise, the text before it, and the cells behind it."""
    for position, cell in enumerate(notebook.cells, 1):
        if "exercise" in cell.metadata.get("tags", []):
            yield f"cell {position}", notebook.cells[max(0, position - 2)], notebook.cells[position:]


def exercises_have_minutes_and_hints(notebook: NotebookNode) -> Iterator[str]:
    """Each exercise has a number, a name, the minutes it takes, and two hints that open one after the other."""
    for expected, (where, text, _) in enumerate(exercises(notebook), 1):
        title = EXERCISE.match(text.source)
        if not title or int(title[1]) != expected:
            yield f"{where}: the text before it does not begin with `### Exercise {expected} · name (N minutes)`"
        if not HINTS.search(text.source):
            yield f"{where}: the text before it does not end in two hints, the second inside the first"


def exercises_have_a_folded_solution(notebook: NotebookNode) -> Iterator[str]:
    """Behind each exercise its solution is folded up. (Not in a solved notebook, where it is the exercise.)"""
    for where, _, behind in exercises(notebook):
        if not behind or not FOLDED_SOLUTION.fullmatch(behind[0].source):
            yield f"{where}: no folded solution behind it"


CHECKS: tuple[Check, ...] = (
    valid,
    executed_in_order,
    no_widget_state,
    no_machine_paths,
    no_stderr,
    errors_on_purpose,
    short_cells,
    narrow_cells,
    pictures_have_alt_text,
    pictures_work_in_colab,
    no_terminal_colours,
    starts_with_the_package,
    questions_are_well_formed,
    enough_questions,
    exercises_have_minutes_and_hints,
)
LEARNERS_CHECKS: tuple[Check, ...] = (exercises_have_a_folded_solution,)
