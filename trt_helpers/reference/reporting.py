"""Where the lines of ``errors.toml`` go: to the error recorder if there is one, else to the logger."""

from __future__ import annotations

import re
from contextlib import suppress

import tensorrt_rtx as rtx

from ..errors import log_line

Severity = rtx.ILogger.Severity
_CODE = re.compile(r"Error Code (\d+):")


class Log:
    """What a runtime, an engine or a context reports with. Contract: 1.

    Parameters:
        logger: the runtime's logger.
        recorder: gets the errors instead of the logger, never both; None: the logger gets them.
    """

    def __init__(self, logger: rtx.ILogger, recorder: rtx.IErrorRecorder | None = None) -> None:
        self.logger, self.recorder = logger, recorder

    def copy(self) -> Log:
        """The log of an object made by this one: it starts with the same recorder."""
        return Log(self.logger, self.recorder)

    def error(self, key: str, **facts: object) -> None:
        """Report one refusal in TensorRT's words: the row ``key`` of ``errors.toml``, filled in."""
        line = log_line(key, **facts)
        if self.recorder is None:
            self._log(Severity.ERROR, line)
            return
        found = _CODE.search(line)
        code = rtx.ErrorCodeTRT(int(found[1]) if found else 1)
        with suppress(Exception):  # what a recorder raises has nowhere to go in TensorRT either
            self.recorder.report_error(code, line)

    def warning(self, key: str, **facts: object) -> None:
        """Log one warning in TensorRT's words."""
        self._log(Severity.WARNING, log_line(key, **facts))

    def info(self, text: str) -> None:
        """Log one informational line."""
        self._log(Severity.INFO, text)

    def _log(self, severity: Severity, line: str) -> None:
        with suppress(Exception):  # a logger must not raise; one that does must not change what a call returns
            self.logger.log(severity, line)
