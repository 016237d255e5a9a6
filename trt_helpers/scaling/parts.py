"""Large inputs cut into parts, and each part's answers in one file: what makes a run restartable. No Ray in here.

A part is some thousand rows that follow one another in one file. Its name says which, so whoever finds a file of that
name knows that those rows are done. The file appears whole or not at all.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import infer_compression
from pyarrow.fs import FSSpecHandler, PyFileSystem

from ..decoding.model import not_text
from ..decoding.sentences import Filled

if TYPE_CHECKING:
    import ray.data

JOB, INPUT = "_job.json", "_input"  # readers of Parquet folders pass over names that begin with _ or a dot
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("words", pa.list_(pa.list_(pa.string()))),
        ("probabilities", pa.list_(pa.list_(pa.float32()))),
        ("error", pa.string()),
    ]
)
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
    system, path = _folder(source)
    if system.isdir(path):
        found = _inside(system, path)
    else:
        found = [path] if system.exists(path) else system.glob(path)
    names = sorted(system.unstrip_protocol(name) for name in found if _is_input(system, name))
    if not names:
        hint = "; in a glob, write [[] for a bracket that belongs to a name" if "[" in source else ""
        raise FileNotFoundError(f"no file is called {source}{hint}")
    return names, [_open(name)[0].size(_open(name)[1]) for name in names]


def _is_input(system: AbstractFileSystem, name: str) -> bool:
    return system.isfile(name) and not name.rpartition("/")[2].startswith(("_", "."))


# ---- names --------------------------------------------------------------------------------------------------
# A name is no pattern, except in `files_of`. fsspec's `rm` and `mv` take patterns as its `glob` does. So folders are
# listed here, names compared as text, and files moved and deleted one by one.


def as_url(path: str | Path) -> str:
    """An absolute path, since workers have a working folder of their own; a URL as it is."""
    text = str(path)
    return text if _is_url(text) else os.path.abspath(text)


def _is_url(text: str) -> bool:
    protocol, found, _ = text.partition("://")
    return bool(protocol and found) and "/" not in protocol


def _open(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system and the path there. fsspec alone would take a name with ``::`` apart, and expand a ``~``."""
    if not _is_url(url):
        return LocalFileSystem(), os.path.abspath(url)
    first, cut, rest = url.partition("::")
    if not cut or "://" in rest:  # the second is really a chain: simplecache::s3://bucket/in
        return fsspec.core.url_to_fs(url)
    system, _ = fsspec.core.url_to_fs(first)
    return system, system._strip_protocol(url)


def _folder(url: str) -> tuple[AbstractFileSystem, str]:
    """As ``_open``, and what was listed there before is forgotten: other processes write to the same folder."""
    system, path = _open(url)
    system.invalidate_cache(path)
    return system, path


def _inside(system: AbstractFileSystem, folder: str, start: str = "", end: str = "") -> list[str]:
    """The sorted paths of what lies in a folder under a name that begins and ends so; none where no folder is."""
    system.invalidate_cache(folder)
    try:
        found = [path.rstrip("/") for path in system.ls(folder, detail=False)]
    except FileNotFoundError:
        return []
    # Object stores list a folder's own marker, too.
    names = {path: path.rpartition("/")[2] for path in found if path != folder}
    return sorted(path for path, name in names.items() if name.startswith(start) and name.endswith(end))


# ---- reading ------------------------------------------------------------------------------------------------


def rows_of(source: Source, url: str) -> Iterator[Row]:
    """Every row of a file, in order. What is no sentence has its reason, whatever it is.

    Raises:
        ValueError: a Parquet file lacks a column: then no row of it has anything to decode.
    """
    system, path = _open(url)
    name, kind = _as_text(source.name(url)), _kind(path)  # Linux allows file names that are not UTF-8
    with system.open(path, "rb", compression="infer") as file:
        if kind == "parquet":
            found = _parquet(file, name, source)
        elif kind == "json":
            found = (_json_row(line, source) for line in file)
        else:
            found = ((None, line.rstrip(b"\r\n")) for line in file)
        for number, (row_id, value) in enumerate(found, start=1):
            text, error = _sentence(value, source.column)
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
    system, path = _open(url)
    if _kind(path) == "parquet":
        with system.open(path, "rb", compression="infer") as file:
            _columns(pq.ParquetFile(file), source.name(url), source)


def _columns(parquet: pq.ParquetFile, name: str, source: Source) -> list[str]:
    columns = [source.column] + ([source.id_column] if source.id_column else [])
    if lacks := [column for column in columns if column not in parquet.schema_arrow.names]:
        raise ValueError(f"{name} has no column {lacks[0]!r}; it has {', '.join(parquet.schema_arrow.names)}")
    return columns


def _parquet(file: object, name: str, source: Source) -> Iterator[tuple[object, object]]:
    parquet = pq.ParquetFile(file)
    for batch in parquet.iter_batches(batch_size=4096, columns=_columns(parquet, name, source)):
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


def _sentence(value: object, column: str) -> tuple[str | None, str | None]:
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


def parts_of(source: Source, index: int, done: frozenset[str] = frozenset()) -> Iterator[dict]:
    """The parts of the file number ``index``, but those in ``done``: ``part``, ``ids``, ``texts``, ``errors``."""
    rows = rows_of(source, source.files[index])
    first = 1
    while chunk := list(islice(rows, source.batch_size)):
        name = part_name(index, first)
        if name not in done:
            ids, texts, errors = map(list, zip(*chunk, strict=True))
            yield {"part": name, "ids": ids, "texts": texts, "errors": errors}
        first += len(chunk)


def part_name(index: int, first: int) -> str:
    """The name of the part that begins with row ``first`` of the file number ``index``."""
    return f"part-{index:05d}-{first:012d}.parquet"


# ---- writing ------------------------------------------------------------------------------------------------


def write_part(folder: str, part: dict, filled: Sequence[Filled]) -> int:
    """Write the answers to a part, all of them or nothing; returns how many rows have an error."""
    errors = [error or result.problem or None for error, result in zip(part["errors"], filled, strict=True)]
    columns = {
        "id": part["ids"],
        "words": [[[c.word for c in mask] for mask in result.candidates] for result in filled],
        "probabilities": [[[c.probability for c in mask] for mask in result.candidates] for result in filled],
        "error": errors,
    }
    _write_whole(folder, part["part"], pa.table(columns, schema=SCHEMA))
    return sum(error is not None for error in errors)


def _write_whole(folder: str, name: str, content: bytes | pa.Table) -> None:
    """Under a name of its own first: two workers may write the same part, when one was given up too early."""
    system, path = _open(folder)
    unfinished = f"{path}/.{name}.{uuid.uuid4().hex[:8]}"
    system.pipe_file(unfinished, _as_parquet(content) if isinstance(content, pa.Table) else content)
    _rename(system, unfinished, f"{path}/{name}")


def _as_parquet(table: pa.Table) -> bytes:
    memory = io.BytesIO()
    pq.write_table(table, memory, compression="zstd")
    return memory.getvalue()


def _rename(system: AbstractFileSystem, old: str, new: str) -> None:
    if type(system).mv is not AbstractFileSystem.mv:  # its own way, in one go
        system.mv(old, new)
    else:  # fsspec's copies as well, but takes both names for patterns
        system.cp_file(old, new)
        system.rm_file(old)


def times_begun(folder: str, name: str) -> int:
    """Note that a worker begins with a part, or loads; returns how often that was noted in this run, with this time."""
    system, path = _open(folder)
    system.touch(f"{path}/.{name}.begun.{uuid.uuid4().hex[:8]}")
    return len(_inside(system, path, f".{name}.begun."))


def forget_begun(folder: str, name: str) -> None:
    """Drop these notes: it went well."""
    _remove(folder, f".{name}.begun.")


def rows_done(folder: str) -> dict[str, int]:
    """The parts that are done, with their rows. A file that is no Parquet is none: the machine went down over it."""
    system, path = _open(folder)
    done = {}
    for found in _inside(system, path, "part-", ".parquet"):
        try:
            with system.open(found, "rb") as file:
                done[found.rpartition("/")[2]] = pq.read_metadata(file).num_rows
        except pa.ArrowInvalid:
            continue
    return done


def remove_unfinished(folder: str) -> None:
    """Delete what workers leave behind: notes of what they began, and half-written files if they were killed."""
    _remove(folder, ".part-")


def _remove(folder: str, start: str) -> None:
    system, path = _open(folder)
    for name in _inside(system, path, start):
        with suppress(FileNotFoundError):  # another worker may be at it
            system.rm_file(name)


def begin(folder: str, job: dict) -> None:
    """Make the folder, or recognise it as this job's, begun earlier.

    Parameters:
        job: input and settings, as JSON: what must be the same for a run to be continued.

    Raises:
        ValueError: the folder holds something else, or answers to other input or with other settings.
    """
    system, path = _folder(folder)
    if system.exists(f"{path}/{JOB}"):
        before = json.loads(system.cat_file(f"{path}/{JOB}"))
        changed = sorted(key for key in job.keys() | before.keys() if job.get(key) != before.get(key))
        if not changed:
            return
        if _inside(system, path, "part-"):
            raise ValueError(
                f"{folder} holds a run with another {' and '.join(changed)}. Say the same as then to continue it, or "
                "choose another folder."
            )
        _forget_input(folder)  # a run that came to nothing, perhaps for a wrong setting
    elif system.isfile(path) or _inside(system, path):
        raise ValueError(f"{folder} is not empty, and not the folder of an earlier run. Choose another one.")
    system.makedirs(path, exist_ok=True)
    _write_whole(folder, JOB, json.dumps(job, indent=1).encode())


def keep_input(rows: ray.data.Dataset, folder: str, columns: list[str]) -> str:
    """Write the rows of a data set into the folder, once, since only what has a name can be found again; returns where.

    Rows that an interrupted run has written in full are kept as they are.
    """
    kept = f"{folder}/{INPUT}"
    system, path = _folder(kept)
    if not system.exists(f"{path}/_finished"):
        _forget_input(folder)
        system.makedirs(path, exist_ok=True)
        # Ray Data would read the whole path as a URL. So it gets the folder as a file system, and one harmless name.
        above = PyFileSystem(FSSpecHandler(DirFileSystem(_open(folder)[1], system)))
        rows.select_columns(columns).write_parquet(INPUT, filesystem=above, try_create_dir=False)
        if not _inside(system, path, end=".parquet"):  # Ray Data writes no file for no rows
            _write_whole(kept, "none.parquet", pa.table({name: pa.array([], pa.string()) for name in columns}))
        system.touch(f"{path}/_finished")
    return kept


def _forget_input(folder: str) -> None:
    system, path = _folder(f"{folder}/{INPUT}")
    for here, _, names in system.walk(path, topdown=False):
        for name in filter(None, names):  # "" is the folder's own marker
            system.rm_file(f"{here}/{name}")
        with suppress(OSError, NotImplementedError):  # object stores have no folders to delete
            system.rmdir(here)


def answers(folder: str, columns: Iterable[str] = SCHEMA.names) -> pa.Table:
    """All answers in a folder as one table, in the order of the input. For a large folder use any reader of Parquet."""
    system, path = _open(folder)
    tables = []
    for name in _inside(system, path, "part-", ".parquet"):
        with system.open(name, "rb") as file:
            tables.append(pq.read_table(file, columns=list(columns)))
    return pa.concat_tables(tables or [SCHEMA.empty_table()])
