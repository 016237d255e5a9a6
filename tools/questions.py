"""Read the prediction questions of a lesson: what CONTRIBUTING.md shows under "Ask before you show", taken apart.

A question is a Markdown cell that ends in options and a folded answer. The id of the fold names the question: the tests
ask the running engine which option is right (tests/unit/test_questions_in_lessons.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext
from nbformat import NotebookNode

ASKED = "**Before you run the next cell:**"
FOLD = re.compile(r"<details[^>]*><summary>Answer</summary>")
CELL = re.compile(
    r"(?P<text>.*?)\n\n(?P<options>- \*\*A\.\*\* .*?)\n\n"
    r'<details id="(?P<id>[a-z0-9-]+)"><summary>Answer</summary>\n\n(?P<answer>- .*?)\n\n</details>\s*',
    re.DOTALL,
)
OPTION = re.compile(r"^- \*\*([A-Z])\.\*\* (.+?)(?=^- |\Z)", re.MULTILINE | re.DOTALL)
REASON = re.compile(r"^- \*\*([A-Z])(\.| is right\.)\*\* (.+?)(?=^- |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Question:
    """A question, its options and its reasons by letter, and the letters that it says are right."""

    id: str
    text: str
    options: dict[str, str]
    reasons: dict[str, str]
    right: tuple[str, ...]

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong with it."""
        letters = [chr(ord("A") + i) for i in range(len(self.options))]
        if ASKED not in self.text:
            yield f"does not say {ASKED}"
        if len(letters) < 2 or list(self.options) != letters:
            yield f"its options are {', '.join(self.options)}, expected two or more, lettered from A"
        if len(self.right) != 1:
            yield f"{len(self.right)} options are marked right, expected one"
        if list(self.reasons) != list(self.options):
            yield f"it has reasons for {', '.join(self.reasons)} and options {', '.join(self.options)}"


def is_question(source: str) -> bool:
    """Tell whether a Markdown cell has a folded answer, well-formed or not."""
    return FOLD.search(source) is not None


def read_question(source: str) -> Question | None:
    """Take a Markdown cell apart; None if it does not have the form of a question."""
    cell = CELL.fullmatch(source.strip())
    if not cell:
        return None
    reasons = REASON.findall(cell["answer"])
    return Question(
        id=cell["id"],
        text=" ".join(cell["text"].split()),
        options={letter: " ".join(text.split()) for letter, text in OPTION.findall(cell["options"])},
        reasons={letter: " ".join(text.split()) for letter, _, text in reasons},
        right=tuple(letter for letter, mark, _ in reasons if "right" in mark),
    )


def questions_of(cells: list[NotebookNode]) -> list[Question]:
    """Return the well-formed questions of a lesson or a notebook, in order."""
    found = [read_question(cell.source) for cell in cells if cell.cell_type == "markdown"]
    return [question for question in found if question]


def questions_of_lesson(path: Path) -> list[Question]:
    """Return the questions of a lesson's text."""
    return questions_of(jupytext.reads(path.read_text(), fmt="py:percent").cells)
