"""A plan kept for ``engine.serialize()``: in memory if it is small, else in a temporary file.

Plans are large, and after deserialisation nobody needs the bytes: keeping them in memory would double what an
engine costs. Writing them takes longer than loading them, so that is done beside the loading.
"""

from __future__ import annotations

import tempfile
import threading
from typing import IO

_IN_MEMORY = 1 << 20  # bytes


class PlanCopy:
    """The bytes of one plan.

    Parameters:
        data: may be freed or changed afterwards. Kept as it is until it is written if it is ``bytes``, which nobody
            can change; else copied.
    """

    def __init__(self, data: memoryview) -> None:
        self._small = bytes(data) if len(data) <= _IN_MEMORY else None
        self._written: _Writing | None = None
        if self._small is None:
            whole = isinstance(data.obj, bytes) and len(data.obj) == len(data)
            self._written = _Writing(data.obj if whole else bytes(data))
            self._written.start()

    def read(self) -> bytes:
        """The plan.

        Raises:
            OSError: there was no room for it.
        """
        return self._small if self._written is None else self._written.read()


class _Writing(threading.Thread):
    """Writes the bytes to a nameless file, then lets go of them. A full disk must not keep an engine from running."""

    def __init__(self, data: bytes) -> None:
        super().__init__(name="plan-copy", daemon=True)
        self._data: bytes | None = data
        self._error: OSError | None = None
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        try:
            self._file = tempfile.TemporaryFile()
            self._file.write(self._data)
            self._file.flush()
        except OSError as error:
            self._error = error
        self._data = None

    def read(self) -> bytes:
        self.join()
        if self._error is not None:
            raise self._error
        with self._lock:
            self._file.seek(0)
            return self._file.read()

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()
