"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
