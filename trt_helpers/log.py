"""A logger that shows TensorRT's messages where you can see them.

TensorRT's own ``trt.Logger`` writes from C++ to the process's standard output: in a notebook that is the
terminal of the server, not the cell. This one is a Python ``ILogger``: it keeps every message, and prints
warnings and errors into the cell.

TensorRT calls ``log`` from its own threads, and an exception inside it has nowhere to go. So ``log`` is
thread-safe and never raises.
"""

from __future__ import annotations

import re
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass

# "ModelImporter.cpp:1071: text" and "text (... In setInputShape at /_src/runtime/x.cpp:2334)" name places in
# NVIDIA's sources that change with every release and tell a learner nothing.
_LEADING_PLACE = re.compile(r"^\s*(?:\[)?[\w/.]+\.(?:cpp|h)(?:::\w+::|:)\d+(?:\])?:?\s*")
_TRAILING_PLACE = re.compile(r"\s+In [\w:~<>]+ at [^\s)]+:\d+")

# A build at VERBOSE logs thousands of lines; a logger lives as long as the process.
_KEPT = 20_000

# On a machine without a driver TensorRT-RTX follows every error with this echo. It says nothing about the error.
_NO_DRIVER_ECHO = "catchCudaError"


@dataclass(frozen=True)
class Message:
    """One message: ``severity`` is a letter (F, E, W, I or V), ``text`` has no source positions, ``raw`` has."""

    severity: str
    text: str
    raw: str

    def __str__(self) -> str:
        return f"[{self.severity}] {self.text}"


def tidy(raw: str) -> str:
    """A message without the source positions of NVIDIA's build machine."""
    return _TRAILING_PLACE.sub("", _LEADING_PLACE.sub("", raw)).replace(". )", ".)").strip()


def make_logger_class(trt) -> type:
    """The ``Logger`` class for a lane: it has to inherit from that lane's own ``ILogger``."""

    class Logger(trt.ILogger):
        """Collects TensorRT's messages; prints those at least as severe as ``show``.

        Parameters:
            show: the least severe ``trt.ILogger.Severity`` to print; None prints nothing. Default: WARNING.

        Exactly one message is dropped: TensorRT-RTX's echo of "cudaError 35" after each error on a machine
        without a driver.
        """

        Severity = trt.ILogger.Severity
        _LETTERS = dict(zip(("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"), "FEWIV", strict=True))

        def __init__(self, show: object = trt.ILogger.Severity.WARNING) -> None:
            trt.ILogger.__init__(self)  # forgetting this line is a TypeError, at the first use
            self.show = show
            self.messages: deque[Message] = deque(maxlen=_KEPT)
            self._listeners: list[list[Message]] = []

        def log(self, severity: object, msg: str) -> None:
            """Called by TensorRT, from any thread. Must not raise."""
            if _NO_DRIVER_ECHO in msg and "cudaError 35" in msg:
                return
            message = Message(self._LETTERS.get(getattr(severity, "name", ""), "?"), tidy(msg), msg)
            for kept in (self.messages, *self._listeners):
                kept.append(message)  # append is atomic: no lock needed
            with suppress(Exception):  # a closed stdout must not raise into TensorRT
                if self.show is not None and severity <= self.show:
                    print(message)

        @property
        def errors(self) -> list[str]:
            """The texts of all errors so far."""
            return [m.text for m in self.messages if m.severity in "FE"]

        @property
        def warnings(self) -> list[str]:
            """The texts of all warnings so far."""
            return [m.text for m in self.messages if m.severity == "W"]

        @property
        def last_error(self) -> str:
            """The text of the newest error, or ``""``."""
            return next((m.text for m in reversed(self.messages) if m.severity in "FE"), "")

        def clear(self) -> None:
            """Forget all messages."""
            self.messages.clear()

        @contextmanager
        def quietly(self):
            """Collect without printing for the length of a ``with`` block; yields the list of new messages."""
            shown, self.show = self.show, None
            fresh: list[Message] = []
            self._listeners.append(fresh)
            try:
                yield fresh
            finally:
                self.show = shown
                self._listeners.remove(fresh)

    return Logger
