"""What people have, row by row: text, JSON Lines and Parquet. A bad row has its reason, and loses no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import commonprefix

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.utils import infer_compression

from ..decoding.answers import not_text
from .storage import Folder, opened

Row = tuple[str, str | None, str | None]  # id, sentence, error: a row without a sentence has an error


@dataclass(frozen=True)
class Source:
    """Which files, and what of them.

    Attributes:
        files: paths as fsspec writes them, sorted.
        column: where the sentences are, in Parquet and JSON Lines.
        id_column: where the ids are; None: the ids are file and row, ``reviews.txt:17``, counted from 1. Of files in
            several folders the folder is told too, ``monday/reviews.txt:17``.
        batch_size: rows of a part.
    """

    files: list[str]
    column: str
    id_column: str | None
    batch_size: int

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [self.column] + ([self.id_column] if self.id_column else [])

    def name(self, url: str) -> str:
        """What to call one of the files: its path from the folder that all of them are in."""
        folder = commonprefix([file.rpartition("/")[0] + "/" for file in self.files]).rpartition("/")[0]
        return url.removeprefix(folder + "/")


def files_of(source: str) -> tuple[list[str], list[int]]:
    """The files that a path, a folder or a glob stands for, with their sizes.

    What is there under exactly this name is meant, even if the name has a ``*`` or brackets. It is a glob only where
    nothing is called so.

    Raises:
        FileNotFoundError: none.
    """
    place = Folder(source)
    system, path = place.system, place.path
    if system.isdir(path):
        found = place.inside()
    else:
        found = [path] if system.exists(path) else sorted(system.glob(path))
    # What begins with _ or a dot is a file about files.
    found = [name for name in found if system.isfile(name) and not name.rpartition("/")[2].startswith(("_", "."))]
    if not found:
        hint = "; in a glob, write [[] for a bracket that belongs to a name" if "[" in source else ""
        raise FileNotFoundError(f"no file is called {source}{hint}")
    return [system.unstrip_protocol(name) for name in found], [system.size(name) for name in found]


def rows_of(source: Source, url: str) -> Iterator[Row]:
    """Every row of a file, in order. What is no sentence has its reason, whatever it is.

    Raises:
        ValueError: a Parquet file lacks a column: then no row of it has anything to decode.
    """
    system, path = opened(url)
    name, kind = _as_text(source.name(url)), _kind(path)  # Linux allows file names that are not UTF-8
    with system.open(path, "rb", compression="infer") as file:
        if kind == "parquet":
            found = _parquet(file, name, source)
        elif kind == "json":
            found = (_json_row(line, source) for line in file)
        else:
            found = ((None, line.rstrip(b"\r\n")) for line in file)
        for number, (row_id, value) in enumerate(found, start=1):
            text, error = _sentence(value)
            yield f"{name}:{number}" if row_id is None else _as_text(row_id), text, error


def _kind(path: str) -> str:
    """``parquet``, ``json`` or ``text``, by the file's name without the ending of a compression."""
    name = path.lower()
    if infer_compression(name):
        name = name.rpartition(".")[0]
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    return "json" if name.endswith((".jsonl", ".ndjson", ".json")) else "text"


def check_columns(source: Source) -> None:
    """Look into the first file, if it is Parquet: a wrong name is better refused now than by a worker.

    Raises:
        ValueError: it lacks a column.
    """
    url = source.files[0]
    system, path = opened(url)
    if _kind(path) == "parquet":
        with system.open(path, "rb", compression="infer") as file:
            _checked(file, source.name(url), source)


def _checked(file: object, name: str, source: Source) -> pq.ParquetFile:
    parquet = pq.ParquetFile(file)
    there = parquet.schema_arrow.names
    if lacks := [column for column in source.columns if column not in there]:
        raise ValueError(f"{name} has no column {lacks[0]!r}; it has {', '.join(there)}")
    return parquet


def _parquet(file: object, name: str, source: Source) -> Iterator[tuple[object, object]]:
    for batch in _checked(file, name, source).iter_batches(batch_size=4096, columns=source.columns):
        ids = _values(batch.column(source.id_column)) if source.id_column else [None] * len(batch)
        yield from zip(ids, _values(batch.column(source.column)), strict=True)


def _values(column: pa.Array) -> list:
    """Text as bytes, since nobody has checked that it is UTF-8: one bad row would lose the other 4,095."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    return column.to_pylist()


def _json_row(line: bytes, source: Source) -> tuple[object, object]:
    """Id and value; an exception as value says what is wrong with the line."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError, and says so itself
        return None, error
    if not isinstance(row, dict):
        return None, ValueError(f"the line is a JSON {type(row).__name__}, not an object")
    if source.column not in row:
        return row.get(source.id_column), ValueError(f"the line has no {source.column!r}")
    return row.get(source.id_column), row[source.column]


def _sentence(value: object) -> tuple[str | None, str | None]:
    """A sentence and no error, or no sentence and an error."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            value = error
    if isinstance(value, UnicodeDecodeError):
        return None, f"not UTF-8: byte {value.object[value.start]:#04x} at position {value.start}."
    if isinstance(value, Exception):
        return None, f"not a row of JSON Lines: {value}."
    if not isinstance(value, str):
        return None, not_text(value, "[MASK]")
    if value != _as_text(value):
        return None, "not text: it has half a surrogate pair, which UTF-8 cannot write."
    return value, None


def _as_text(value: object) -> str:
    """An id, or a file's name in one, as text that UTF-8 can write."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value).encode(errors="replace").decode()
