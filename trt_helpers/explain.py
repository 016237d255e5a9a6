"""Paste an error, get the reason: ``trt_helpers.explain(text)``, or ``python -m trt_helpers explain "..."``.

The answers are the rows of ``errors.toml``, the same that ``TensorRTError`` and the reference runtime use.
"""

from __future__ import annotations

import re
import sys
import textwrap
from dataclasses import dataclass
from functools import cache
from string import Formatter

from .errors import Refusal, refusals

# Letters that a sentence of ours must have beside the names it is filled in with, to be recognised by them.
_ENOUGH = 17

_ECHO = "no_driver_echo"

NOT_KNOWN = (
    "Not known. No row of trt_helpers/errors.toml has this text.\n"
    "Paste the whole log line with its 'Error Code', or the last line of the traceback."
)


@dataclass(frozen=True)
class Explanation:
    """What is known about a text. Its ``repr`` is the answer.

    Attributes:
        rows: the rows of ``errors.toml``, the cause before its consequences; empty if the text is not known.
    """

    rows: tuple[Refusal, ...]

    @property
    def known(self) -> bool:
        """Whether any row has this text."""
        return bool(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return NOT_KNOWN
        more = [f"Also in this text: {_wrapped(meaning(row))}" for row in self.rows[1:]]
        return "\n\n".join([_answer(self.rows[0]), *more])

    __repr__ = __str__


def explain(text: str | BaseException) -> Explanation:
    """What an error text means, its usual causes, the fix as code, and the lesson that shows it.

    Parameters:
        text: a log line, an exception, a whole traceback or log, of TensorRT 8.6, 10, 11 or TensorRT-RTX; or a symptom
            in words, such as "wrong output after permute". Or the exception itself.
    """
    text = str(text)
    lines = text.splitlines()
    found = [row for line in lines for row in refusals().values() if row.claims(line)]
    found += [row for line in lines for row in refusals().values() if _is_ours(row, line)]
    lowered = text.lower()
    found = found or [row for row in refusals().values() if any(words in lowered for words in row.asks)]
    unique = list(dict.fromkeys(row.key for row in found))
    if unique != [_ECHO]:  # it follows every error on a machine without a driver
        unique = [key for key in unique if key != _ECHO]
    return Explanation(tuple(refusals()[key] for key in unique))


def _is_ours(row: Refusal, line: str) -> bool:
    """Whether a line holds our own sentence, the message of a ``TensorRTError``, with whatever was filled in."""
    pattern = _pattern(row.says)
    # The last name may be filled in with nothing, and a message ends without a space.
    return pattern is not None and pattern.search(f"{line} ") is not None


@cache
def _pattern(says: str) -> re.Pattern | None:
    parts = [(literal, name) for literal, name, *_ in Formatter().parse(says)]
    if sum(len(literal) for literal, _ in parts) < _ENOUGH:
        return None
    return re.compile("".join(re.escape(literal) + ("" if name is None else ".*?") for literal, name in parts))


# ---- the answer ---------------------------------------------------------------------------------------------


def meaning(row: Refusal) -> str:
    """What a row's text means, in a sentence without names to fill in."""
    return row.means or row.says


def place(row: Refusal) -> str:
    """Where it is shown: ``lesson 3, "Refused"``."""
    number, _, heading = row.lesson.partition(": ")
    return f'lesson {number}, "{heading}"' if heading else f"lesson {number}"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, subsequent_indent=indent)


def _answer(row: Refusal) -> str:
    causes = "\n".join(_wrapped(f"  - {cause}", "    ") for cause in row.causes)
    fix = textwrap.indent(row.fix, "    ")
    return (
        f"{_wrapped(meaning(row))}\n\nUsual causes:\n{causes}\n\nFix:\n{fix}\n\nShown in {place(row)}. Row: {row.key}"
    )


def main(text: str) -> int:
    """Print the answer; ``"-"`` reads the text from the standard input. Returns 0, or 1 if the text is not known."""
    answer = explain(sys.stdin.read() if text == "-" else text)
    print(answer)
    return 0 if answer.known else 1
