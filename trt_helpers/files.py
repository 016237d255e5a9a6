"""Files that are written whole or not at all, and read or refused in the course's words."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import TensorRTError


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A place to write a file: it appears at ``path`` when the ``with`` block ends, and never if the block fails.

    Who reads ``path`` meanwhile sees the old file or the new one, but no half of one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder, not mkstemp: its files are readable by their owner alone, and os.replace would keep that.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())  # the name must not reach the disk before the content
        os.replace(unfinished, path)


def read_bytes(file: Path, missing: str, unreadable: str, **facts: object) -> bytes:
    """The content of a file.

    Parameters:
        missing, unreadable: the rows of ``errors.toml`` that say so.
        facts: what both are filled in with; ``unreadable`` also has the ``reason``.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise TensorRTError(missing, **facts) from None
    except OSError as error:
        raise TensorRTError(unreadable, **facts, reason=error.strerror) from None
