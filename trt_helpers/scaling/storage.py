"""Files here or far away, by fsspec; names are no patterns.

fsspec's ``rm`` and ``mv`` take patterns as its ``glob`` does. So folders are listed here, names compared as text, and
files moved and deleted one by one.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem


def as_url(path: str | Path) -> str:
    """An absolute path, since workers have a working folder of their own; a URL as it is."""
    text = str(path)
    return text if _is_url(text) else os.path.abspath(text)


def _is_url(text: str) -> bool:
    protocol, found, _ = text.partition("://")
    return bool(protocol and found) and "/" not in protocol


def opened(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system and the path there. fsspec alone would take a name with ``::`` apart, and expand a ``~``."""
    if not _is_url(url):
        return LocalFileSystem(), os.path.abspath(url)
    first, cut, rest = url.partition("::")
    if not cut or "://" in rest:  # the second is really a chain: simplecache::s3://bucket/in
        return fsspec.core.url_to_fs(url)
    system, _ = fsspec.core.url_to_fs(first)
    return system, system._strip_protocol(url)  # noqa: SLF001 (there is no public way)


class Folder:
    """A folder, there or not. Other processes write to it, so what was listed before is forgotten.

    Attributes:
        system: the file system.
        path: where it is in there.
    """

    def __init__(self, url: str) -> None:
        self.system, self.path = opened(url)
        self.system.invalidate_cache(self.path)

    def inside(self, start: str = "", end: str = "") -> list[str]:
        """The sorted paths of what lies here under a name that begins and ends so; none where no folder is."""
        self.system.invalidate_cache(self.path)
        try:
            found = [path.rstrip("/") for path in self.system.ls(self.path, detail=False)]
        except FileNotFoundError:
            return []
        # Object stores list a folder's own marker, too.
        names = {path: path.rpartition("/")[2] for path in found if path != self.path}
        return sorted(path for path, name in names.items() if name.startswith(start) and name.endswith(end))

    def write(self, name: str, content: bytes) -> None:
        """All of it or nothing: under a name of its own first, since two workers may write the same file."""
        unfinished, finished = f"{self.path}/.{name}.{uuid.uuid4().hex[:8]}", f"{self.path}/{name}"
        self.system.pipe_file(unfinished, content)
        if type(self.system).mv is not AbstractFileSystem.mv:  # its own way, in one go
            self.system.mv(unfinished, finished)
        else:  # fsspec's copies as well, but takes both names for patterns
            self.system.cp_file(unfinished, finished)
            self.system.rm_file(unfinished)

    def remove(self, start: str) -> None:
        """Delete the files whose names begin so."""
        for path in self.inside(start):
            with suppress(FileNotFoundError):  # another worker may be at it
                self.system.rm_file(path)

    def remove_all(self) -> None:
        """Delete what is in here, however deep, and the folder."""
        for here, _, names in self.system.walk(self.path, topdown=False):
            for name in filter(None, names):  # "" is the folder's own marker
                self.system.rm_file(f"{here}/{name}")
            with suppress(OSError, NotImplementedError):  # object stores have no folders to delete
                self.system.rmdir(here)
