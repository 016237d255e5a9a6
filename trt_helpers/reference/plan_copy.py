"""A plan kept for ``engine.serialize()``, in memory if it is small, else in a temporary file.

Plans are large, and after deserialisation nobody needs the bytes: keeping them in memory would double what an
engine costs.
"""

from __future__ import annotations

import tempfile
import threading

_IN_MEMORY = 1 << 20  # bytes


class PlanCopy:
    """The bytes of one plan.

    Parameters:
        data: copied; may be freed afterwards.
    """

    def __init__(self, data: memoryview) -> None:
        self._lock = threading.Lock()
        self._lost: OSError | None = None
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115: lives as long as the engine
        try:
            self._file.write(data)
        except OSError as error:  # a full disk must not keep an engine from running
            self._lost = error
            self._file.close()

    def read(self) -> bytes:
        """The plan.

        Raises:
            OSError: there was no room for it.
        """
        if self._lost is not None:
            raise self._lost
        with self._lock:
            self._file.seek(0)
            return self._file.read()
