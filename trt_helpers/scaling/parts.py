"""Large inputs cut into parts, and each part's answers in one file: what makes a run restartable. No Ray in here.

A part is some thousand rows that follow one another in one file. Its name says which, so whoever finds a file of that
name knows that those rows are done. The file appears whole or not at all.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.dirfs import DirFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem

from .reading import Source, rows_of
from .storage import Folder

if TYPE_CHECKING:
    import ray.data

    from ..decoding.answers import Filled

JOB, INPUT = "_job.json", "_input"  # readers of Parquet folders pass over names that begin with _ or a dot
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "words": pa.list_(pa.list_(pa.string())),
        "probabilities": pa.list_(pa.list_(pa.float32())),
        "error": pa.string(),
    }
)


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


def write_part(folder: str, part: dict, filled: Sequence[Filled]) -> int:
    """Write the answers to a part, all of them or nothing; returns how many rows have an error."""
    errors = [error or result.problem or None for error, result in zip(part["errors"], filled, strict=True)]
    columns = {
        "id": part["ids"],
        "words": [[[c.word for c in mask] for mask in result.candidates] for result in filled],
        "probabilities": [[[c.probability for c in mask] for mask in result.candidates] for result in filled],
        "error": errors,
    }
    Folder(folder).write(part["part"], _as_parquet(pa.table(columns, schema=SCHEMA)))
    return sum(error is not None for error in errors)


def _as_parquet(table: pa.Table) -> bytes:
    memory = io.BytesIO()
    pq.write_table(table, memory, compression="zstd")
    return memory.getvalue()


def times_begun(folder: str, name: str) -> int:
    """Note that a worker begins with a part, or loads; returns how often that was noted in this run, with this time."""
    place = Folder(folder)
    place.system.touch(f"{place.path}/.{name}.begun.{uuid.uuid4().hex[:8]}")
    return len(place.inside(f".{name}.begun."))


def forget_begun(folder: str, name: str) -> None:
    """Drop these notes: it went well."""
    Folder(folder).remove(f".{name}.begun.")


def remove_unfinished(folder: str) -> None:
    """Delete what workers leave behind: notes of what they began, and half-written files if they were killed."""
    Folder(folder).remove(".part-")


def rows_done(folder: str) -> dict[str, int]:
    """The parts that are done, with their rows. A file that is no Parquet is none: the machine went down over it."""
    place, done = Folder(folder), {}
    for path in place.inside("part-", ".parquet"):
        with place.system.open(path, "rb") as file, suppress(pa.ArrowInvalid):
            done[path.rpartition("/")[2]] = pq.read_metadata(file).num_rows
    return done


def answers(folder: str, columns: Iterable[str] = SCHEMA.names) -> pa.Table:
    """All answers in a folder as one table, in the order of the input. For a large folder use any reader of Parquet."""
    place, columns = Folder(folder), list(columns)
    tables = [SCHEMA.empty_table().select(columns)]
    for path in place.inside("part-", ".parquet"):
        with place.system.open(path, "rb") as file:
            tables.append(pq.read_table(file, columns=columns))
    return pa.concat_tables(tables)


def begin(folder: str, job: dict) -> None:
    """Make the folder, or recognise it as this job's, begun earlier.

    Parameters:
        job: input and settings, as JSON: what must be the same for a run to be continued.

    Raises:
        ValueError: the folder holds something else, or answers to other input or with other settings.
    """
    place = Folder(folder)
    system, path = place.system, place.path
    if system.exists(f"{path}/{JOB}"):
        before = json.loads(system.cat_file(f"{path}/{JOB}"))
        changed = sorted(key for key in job.keys() | before.keys() if job.get(key) != before.get(key))
        if not changed:
            return
        if place.inside("part-"):
            raise ValueError(
                f"{folder} holds a run with another {' and '.join(changed)}. Say the same as then to continue it, or "
                "choose another folder."
            )
        Folder(f"{folder}/{INPUT}").remove_all()  # a run that came to nothing, perhaps for a wrong setting
    elif system.isfile(path) or place.inside():
        raise ValueError(f"{folder} is not empty, and not the folder of an earlier run. Choose another one.")
    system.makedirs(path, exist_ok=True)
    place.write(JOB, json.dumps(job, indent=1).encode())


def keep_input(rows: ray.data.Dataset, folder: str, columns: list[str]) -> str:
    """Write the rows of a data set into the folder, once, since only what has a name can be found again; returns where.

    Rows that an interrupted run has written in full are kept as they are.
    """
    place, kept = Folder(folder), Folder(f"{folder}/{INPUT}")
    system, path = kept.system, kept.path
    if not system.exists(f"{path}/_finished"):
        kept.remove_all()
        system.makedirs(path, exist_ok=True)
        # Ray Data would read the whole path as a URL. So it gets the folder as a file system, and one harmless name.
        above = PyFileSystem(FSSpecHandler(DirFileSystem(place.path, system)))
        rows.select_columns(columns).write_parquet(INPUT, filesystem=above, try_create_dir=False)
        if not kept.inside(end=".parquet"):  # Ray Data writes no file for no rows
            kept.write("none.parquet", _as_parquet(pa.table({name: pa.array([], pa.string()) for name in columns})))
        system.touch(f"{path}/_finished")
    return f"{folder}/{INPUT}"
