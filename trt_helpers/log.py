"""A logger that shows TensorRT's messages where you can see them.

TensorRT's own ``trt.Logger`` writes from C++ to the process's standard output: in a notebook that may be the
terminal of the server, not the cell. This one is a Python ``ILogger``: it keeps every message, and prints
warnings and errors into the cell.

TensorRT calls ``log`` from its own threads, and an exception inside it has nowhere to go. So ``log`` is
thread-safe and never raises.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

from .lanes import trt

# "ModelImporter.cpp:1071: text" and "text (... In setInputShape at /_src/runtime/x.cpp:2334)" name places in
# NVIDIA's sources that change with every release and tell a learner nothing.
_LEADING_PLACE = re.compile(r"^\s*(?:\[)?[\w/.]+\.(?:cpp|h)(?:::\w+::|:)\d+(?:\])?:?\s*")
_TRAILING_PLACE = re.compile(r"\s+In [\w:~<>]+ at [^\s)]+:\d+")

# A build at VERBOSE logs thousands of lines; a logger lives as long as the process.
_KEPT = 20_000

_LETTERS = {"INTERNAL_ERROR": "F", "ERROR": "E", "WARNING": "W", "INFO": "I", "VERBOSE": "V"}


@dataclass(frozen=True)
class Message:
    """One message: ``severity`` is a letter (F, E, W, I or V), ``text`` has no source positions, ``raw`` has."""

    severity: str
    text: str
    raw: str

    def __str__(self) -> str:
        return f"[{self.severity}] {self.text}"

    @property
    def is_error(self) -> bool:
        """Whether something was refused or failed."""
        return self.severity in ("F", "E")


def tidy(raw: str) -> str:
    """A message without the source positions of NVIDIA's build machine."""
    return _TRAILING_PLACE.sub("", _LEADING_PLACE.sub("", raw)).replace(". )", ".)").strip()


def first_error(messages: list[Message]) -> str:
    """The text of the first error: those behind it are mostly its consequences. ``""`` if there is none."""
    return next((m.text for m in messages if m.is_error), "")


def is_no_driver_echo(text: str) -> bool:
    """The line that TensorRT-RTX adds to every error where no driver is. It says nothing about the error."""
    return "catchCudaError" in text and "cudaError 35" in text


class Logger(trt.ILogger):
    """Collects TensorRT's messages; prints those at least as severe as ``show``.

    Parameters:
        show: the least severe ``trt.ILogger.Severity`` to print; None prints nothing. Default: WARNING.

    Exactly one message is dropped: TensorRT-RTX's echo of "cudaError 35" after each error on a machine without
    a driver.
    """

    Severity = trt.ILogger.Severity

    def __init__(self, show: trt.ILogger.Severity | None = trt.ILogger.Severity.WARNING) -> None:
        trt.ILogger.__init__(self)  # forgetting this line is a TypeError, at the first use
        self.show = show
        self.messages: deque[Message] = deque(maxlen=_KEPT)
        # The open quietly() blocks of each thread: one thread's must not silence, or catch, another's messages.
        self._blocks = threading.local()

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Called by TensorRT, from any thread. Must not raise."""
        with suppress(Exception):  # even printing can fail: a notebook's stdout may be closed
            raw = str(msg)
            if is_no_driver_echo(raw):
                return
            message = Message(_LETTERS.get(getattr(severity, "name", ""), "?"), tidy(raw), raw)
            self.messages.append(message)  # atomic, so no lock is needed
            blocks = getattr(self._blocks, "open", [])
            for fresh in blocks:
                fresh.append(message)
            if not blocks and self.show is not None and severity <= self.show:
                print(message)

    @property
    def errors(self) -> list[str]:
        """The texts of all errors so far."""
        return [m.text for m in tuple(self.messages) if m.is_error]

    @property
    def warnings(self) -> list[str]:
        """The texts of all warnings so far."""
        return [m.text for m in tuple(self.messages) if m.severity == "W"]

    @property
    def last_error(self) -> str:
        """The text of the newest error, or ``""``."""
        return next((m.text for m in reversed(tuple(self.messages)) if m.is_error), "")

    def clear(self) -> None:
        """Forget all messages."""
        self.messages.clear()

    def forget(self, messages: list[Message]) -> None:
        """Forget these: what they complain about was tried, and is done in another way."""
        unwanted = set(map(id, messages))
        kept = [message for message in tuple(self.messages) if id(message) not in unwanted]
        self.clear()
        self.messages.extend(kept)

    @contextmanager
    def quietly(self) -> Iterator[list[Message]]:
        """Collect without printing what this thread causes in a ``with`` block; yields the list of new messages.

        Messages of other threads are printed as ever: the failure of work that is still running, for example.
        """
        if not hasattr(self._blocks, "open"):
            self._blocks.open = []
        fresh: list[Message] = []
        self._blocks.open.append(fresh)
        try:
            yield fresh
        finally:
            # By identity: two lists with the same messages are equal.
            self._blocks.open = [block for block in self._blocks.open if block is not fresh]


def collected(log: trt.ILogger) -> AbstractContextManager[list[Message]]:
    """What TensorRT says in a ``with`` block, kept for an error's text; another logger keeps it to itself."""
    return log.quietly() if isinstance(log, Logger) else nullcontext([])


# TensorRT keeps the first logger it is given for the whole process, so the lane has one too.
logger = Logger()
