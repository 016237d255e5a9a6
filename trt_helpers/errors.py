"""Every refusal of TensorRT, in its words and in ours, read once from ``errors.toml``.

TensorRT's runtime reports most mistakes by returning ``False`` or ``None`` and logging one line. The helpers
turn each of these into a :class:`TensorRTError`; the reference runtime logs the same line that TensorRT would.
Both read the same row, so that a text exists once.
"""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import resources
from string import Formatter
from typing import TypeVar

StreamKind = TypeVar("StreamKind")


@dataclass(frozen=True)
class Refusal:
    """One row of ``errors.toml``."""

    key: str
    log: str
    says: str
    remedy: str
    marks: list[str] = field(default_factory=list)
    # for explain
    unless: list[str] = field(default_factory=list)
    means: str = ""
    causes: list[str] = field(default_factory=list)
    fix: str = ""
    lesson: str = ""
    asks: list[str] = field(default_factory=list)

    def claims(self, line: str) -> bool:
        """Whether a log line, or the last line of a traceback, belongs to this row."""
        return any(mark in line for mark in self.marks) and not any(fragment in line for fragment in self.unless)

    @property
    def needs(self) -> set[str]:
        """The names of the facts that our two sentences are filled in with."""
        return {name for _, name, _, _ in Formatter().parse(self.says + self.remedy) if name is not None}


@cache
def refusals() -> dict[str, Refusal]:
    """All rows, by key."""
    text = resources.files("trt_helpers").joinpath("errors.toml").read_text(encoding="utf-8")
    return {key: Refusal(key=key, **row) for key, row in tomllib.loads(text).items()}


def log_line(key: str, **facts: object) -> str:
    """TensorRT's log line for a refusal, filled in, without file and line number: they change with every release."""
    return refusals()[key].log.format(**facts)


def recognise(line: str) -> Refusal | None:
    """The refusal that a log line belongs to, or None."""
    return next((refusal for refusal in refusals().values() if refusal.claims(line)), None)


class TensorRTError(RuntimeError):
    """A refusal of TensorRT, or of a helper on its behalf.

    Attributes:
        key: the row of ``errors.toml``, for code that wants to react to one kind of refusal.
        facts: the values in the message, for example ``{"tensor": "input_ids", "asked": (9, 4)}``.
        log: TensorRT's own log line, or ``""`` where TensorRT was not asked or its log went elsewhere.
    """

    def __init__(self, key: str, log: str = "", **facts: object) -> None:
        refusal = refusals()[key]
        self.key, self.facts, self.log = key, facts, log
        lines = [refusal.says.format(**facts).rstrip(), refusal.remedy.format(**facts)]
        if log:
            lines.append(f"TensorRT's own words: {log}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple:
        """Keep the facts when the error crosses a process."""
        return partial(TensorRTError, self.key, self.log, **self.facts), ()


def recognised(words: str, otherwise: str, **facts: object) -> TensorRTError:
    """The error that a log line tells of.

    Parameters:
        otherwise: the row for a line that is not known, or whose row needs a fact that is not given.
        facts: what the two rows may need, and more.
    """
    refusal = recognise(words)
    if refusal is None or not refusal.needs <= facts.keys():
        refusal = refusals()[otherwise]
    return TensorRTError(refusal.key, words, **{name: facts[name] for name in refusal.needs})


def checked_stream(given: object, kind: type[StreamKind]) -> StreamKind:
    """What was given, if it is a stream of this lane's kind.

    Raises:
        TypeError: it is something else, most often the stream's handle.
    """
    if isinstance(given, kind):
        return given
    hint = "make one with trt_helpers.Stream()"
    if isinstance(given, int):
        hint = "pass the stream itself, not its handle, which only TensorRT's own calls take"
    raise TypeError(f"Expected a trt_helpers.Stream, got {type(given).__name__}: {hint}.")


def fresh(error: Exception) -> Exception:
    """The error for one asker. Raised itself, it would keep every asker's frames, and what they hold, alive."""
    try:
        return copy.copy(error)
    except Exception:  # an exception type that cannot be copied: better frames that live too long than no error
        return error
