"""Turn the text of a lesson (`lessons/NN_name.py`, jupytext's percent format) into its two notebooks.

The learner's notebook shows an exercise as stub and check, with the solution folded below it; the solved one
shows solution and check. Both come from one cell, tagged `exercise`, whose parts begin with the marker lines
`# --- stub`, `# --- solution` and `# --- check`. Lines above the first marker belong to both.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KNOWN_TAGS = {"exercise", "lane-output", "nbval-ignore-output", "raises-exception"}
PARTS = ["stub", "solution", "check"]
MARKER = re.compile(r"^# --- (\w+)[ \t]*$", re.MULTILINE)
DEEPER = re.compile(r"\]\((images/|\.\./)")
FOLDED = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
# What every machine writes alike. The kernel would add its Python's version, which says nothing of a lesson.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}


class LessonError(Exception):
    """A lesson breaks a rule of its format, or a cell of it fails. The text names lesson and cell."""


def build(lesson: Path, solved: bool) -> NotebookNode:
    """Return the notebook of a lesson without outputs: the solved one, or the learner's."""
    cells = []
    for position, cell in enumerate(jupytext.reads(lesson.read_text(), fmt="py:percent").cells, 1):
        where = f"{lesson.name}, cell {position}"
        cells += build_cell(cell, solved, where)
    notebook = new_notebook(cells=cells, metadata=METADATA, nbformat_minor=5)
    for cell, name in zip(cells, cell_ids(cells), strict=True):
        cell["id"] = name
    nbformat.validate(notebook)
    return notebook


def build_cell(cell: NotebookNode, solved: bool, where: str) -> list[NotebookNode]:
    """Return the cell or cells that one cell of the lesson's text becomes."""
    tags = sorted(cell.metadata.get("tags", []))
    if unknown := set(tags) - KNOWN_TAGS:
        raise LessonError(f"{where}: unknown tag {sorted(unknown)}; known are {sorted(KNOWN_TAGS)}")
    metadata = {"tags": tags} if tags else {}
    if cell.cell_type == "markdown":
        # The solved notebook lies one folder deeper; links to other lessons stay among the solved ones.
        text = DEEPER.sub(r"](../\1", cell.source) if solved else cell.source
        return [new_markdown_cell(text, metadata=metadata)]
    if cell.cell_type != "code":
        raise LessonError(f"{where}: a {cell.cell_type} cell; lessons have markdown and code cells")
    if "exercise" not in tags:
        if MARKER.search(cell.source):
            raise LessonError(f"{where}: has an exercise marker but not the tag `exercise`")
        return [new_code_cell(cell.source, metadata=metadata)]
    shared, stub, solution, check = split_exercise(cell.source, where)
    shown = [shared, solution if solved else stub, check]
    cells = [new_code_cell("\n".join(part for part in shown if part), metadata=metadata)]
    return cells if solved else [*cells, new_markdown_cell(FOLDED.format(solution))]


def split_exercise(source: str, where: str) -> tuple[str, str, str, str]:
    """Return what is above the markers, the stub, the solution and the check, without the marker lines."""
    shared, *pieces = MARKER.split(source)
    names, bodies = pieces[::2], [body.strip("\n") for body in pieces[1::2]]
    if names != PARTS:
        wanted = ", ".join(f"`# --- {name}`" for name in PARTS)
        raise LessonError(f"{where}: an exercise needs the lines {wanted}, once each and in this order")
    if not all(bodies):
        raise LessonError(f"{where}: stub, solution and check must each have a line of code")
    return shared.strip("\n"), bodies[0], bodies[1], bodies[2]


def cell_ids(cells: Iterable[NotebookNode]) -> list[str]:
    """Return an id per cell, made of its content, so that a new cell does not rename all that follow."""
    seen: Counter[str] = Counter()
    names = []
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        names.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return names
