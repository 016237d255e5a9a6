"""Parts cut, and answers written whole or not at all, in folders of any name. No Ray in here."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from trt_helpers.decoding.answers import Candidate, Filled
from trt_helpers.scaling import parts, reading, storage


def test_a_reader_needs_neither_pytorch_nor_ray():
    program = "import sys; import trt_helpers.scaling.parts; sys.exit(bool({'torch', 'ray'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_parts_are_named_after_their_first_row_and_left_out_when_done(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{i}\n" for i in range(7)))
    wanted = reading.Source([f"{tmp_path}/b.txt", f"{tmp_path}/a.txt"], "text", None, 3)
    found = list(parts.parts_of(wanted, 1))
    assert [part["part"] for part in found] == [parts.part_name(1, first) for first in (1, 4, 7)]
    assert [part["texts"] for part in found] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    done = frozenset(part["part"] for part in found[:2])
    assert list(parts.parts_of(wanted, 1, done)) == found[2:]


# ---- writing ----------------------------------------------------------------------------------------------------

PART = {"part": parts.part_name(0, 1), "ids": ["1", "2", "3"], "texts": ["a", None, "c"], "errors": [None, "bad", None]}
ANSWERS = [Filled("a", [[Candidate("x", 0.5)], [Candidate("y", 0.25)]]), Filled("", []), Filled("c", [], "no mask")]


def test_a_part_is_one_file_with_the_errors_of_reading_and_of_decoding(tmp_path):
    assert parts.write_part(str(tmp_path), PART, ANSWERS) == 2
    assert [file.name for file in tmp_path.iterdir()] == [PART["part"]]
    table = parts.answers(str(tmp_path))
    assert table.schema.equals(parts.SCHEMA)
    assert table.to_pylist() == [
        {"id": "1", "words": [["x"], ["y"]], "probabilities": [[0.5], [0.25]], "error": None},
        {"id": "2", "words": [], "probabilities": [], "error": "bad"},
        {"id": "3", "words": [], "probabilities": [], "error": "no mask"},
    ]


def test_a_failed_write_leaves_no_file_that_counts_as_done(tmp_path):
    with pytest.raises(ValueError):
        parts.write_part(str(tmp_path), PART, ANSWERS[:2])
    assert parts.rows_done(str(tmp_path)) == {}


def test_a_torn_file_counts_as_not_done(tmp_path):
    parts.write_part(str(tmp_path), PART, ANSWERS)
    assert parts.rows_done(str(tmp_path)) == {PART["part"]: 3}
    file = tmp_path / PART["part"]
    file.write_bytes(file.read_bytes()[:-10])
    assert parts.rows_done(str(tmp_path)) == {}
    file.write_bytes(b"")
    assert parts.rows_done(str(tmp_path)) == {}


def test_notes_of_beginnings_are_counted_and_forgotten(tmp_path):
    assert [parts.times_begun(str(tmp_path), PART["part"]) for _ in range(3)] == [1, 2, 3]
    assert parts.times_begun(str(tmp_path), parts.part_name(0, 4)) == 1
    parts.forget_begun(str(tmp_path), PART["part"])
    parts.forget_begun(str(tmp_path), PART["part"])  # another worker was quicker
    assert parts.times_begun(str(tmp_path), PART["part"]) == 1
    parts.write_part(str(tmp_path), PART, ANSWERS)
    parts.remove_unfinished(str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [PART["part"]]


def test_the_same_job_is_recognised_and_another_refused(tmp_path):
    folder, job = str(tmp_path / "new" / "out"), {"files": ["a.txt"], "top_k": 5}
    parts.begin(folder, job)
    parts.begin(folder, job)
    assert json.loads((tmp_path / "new/out" / parts.JOB).read_text()) == job
    (tmp_path / "new/out" / PART["part"]).touch()
    with pytest.raises(ValueError, match="holds a run with another top_k. Say the same as then"):
        parts.begin(folder, {**job, "top_k": 4})
    with pytest.raises(ValueError, match="another column and files"):
        parts.begin(folder, {"files": ["b.txt"], "top_k": 5, "column": "text"})
    (tmp_path / "empty").mkdir()
    parts.begin(str(tmp_path / "empty"), job)
    with pytest.raises(ValueError, match="is not empty, and not the folder of an earlier run"):
        parts.begin(str(tmp_path), job)


def test_a_run_that_came_to_nothing_binds_nobody(tmp_path):
    parts.begin(str(tmp_path / "out"), {"column": "a typing error"})
    (tmp_path / "out" / parts.INPUT).mkdir()
    parts.begin(str(tmp_path / "out"), {"column": "text"})
    assert json.loads((tmp_path / "out" / parts.JOB).read_text()) == {"column": "text"}
    assert not (tmp_path / "out" / parts.INPUT).exists(), "its rows are of another column"


def test_no_answers_are_an_empty_table(tmp_path):
    assert parts.answers(str(tmp_path)).num_rows == 0


# ---- names that look like something else --------------------------------------------------------------------------

# Each with a neighbour: what it would stand for as a pattern, or if it were cut, filled in or decoded.
NAMES = {
    "ans[1]": "ans1",
    "out [2024]": "out 2",
    "[!a]": "b",
    "o*t": "out",
    "o?t": "out",
    "**": "deep",
    "out{a,b}": "outa",
    "{}": "out",
    "out::file": "out",
    "memory::out": "out",
    "file:out": "out",
    "memory:out": "out",
    "out#1": "out",
    "out;1": "out",
    "out%201": "out 1",
    "a=1": "a",
    "$HOME": "home",
    "back\\slash": "backslash",
    " two\nlines ": "two",
    os.fsdecode(b"caf\xe9"): "caf",
}
BEGUN, UNFINISHED = f".{PART['part']}.begun.0", f".{PART['part']}.0"


@dataclass
class Place:
    """A folder that is not there yet, and its neighbour."""

    system: AbstractFileSystem
    url: str
    path: str
    neighbour: str

    def fill(self, folder: str, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            self.system.makedirs(f"{folder}/{name}".rpartition("/")[0], exist_ok=True)
            self.system.pipe_file(f"{folder}/{name}", content)

    def content(self, folder: str) -> dict[str, bytes]:
        return {file.removeprefix(folder + "/"): self.system.cat_file(file) for file in self.system.find(folder)}

    def names(self) -> set[str]:
        return set(self.content(self.path))


def parquet(**columns: list) -> bytes:
    memory = io.BytesIO()
    pq.write_table(pa.table(columns), memory)
    return memory.getvalue()


@pytest.fixture(params=["path", "file://", "memory://"])
def scheme(request) -> str:
    return request.param.removeprefix("path")


@pytest.fixture(params=NAMES)
def place(request, scheme, tmp_path) -> Iterator[Place]:
    """The neighbour has all that a run leaves in a folder. Nobody may touch it, and what is read of it is noticed."""
    system = fsspec.filesystem(scheme.removesuffix("://") or "file")
    root = f"/{tmp_path.name}" if scheme == "memory://" else str(tmp_path)
    path, neighbour = f"{root}/{request.param}", f"{root}/{NAMES[request.param]}"
    found = Place(system, scheme + path, path, neighbour)
    others = {parts.part_name(7, 1): parquet(id=["not ours"], words=[[]], probabilities=[[]], error=["not ours"])}
    others |= {f"{parts.INPUT}/0.parquet": parquet(text=["not ours"]), parts.JOB: b'{"top_k": 1}', "a.txt": b"not ours"}
    found.fill(neighbour, {**others, BEGUN: b"", UNFINISHED: b""})
    before = found.content(neighbour)
    yield found
    assert found.content(neighbour) == before


def test_parts_are_written_and_read_in_a_folder_of_any_name(place):
    place.system.makedirs(place.path)
    assert (parts.rows_done(place.url), parts.answers(place.url).num_rows) == ({}, 0)
    parts.write_part(place.url, PART, ANSWERS)
    assert place.names() == {PART["part"]}
    place.fill(place.path, {"part-of something else.txt": b"not ours"})
    assert parts.rows_done(place.url) == {PART["part"]: 3}
    assert parts.answers(place.url)["id"].to_pylist() == PART["ids"]
    assert parts.answers(place.url, ["error"]).column_names == ["error"]


def test_notes_are_kept_in_a_folder_of_any_name(place):
    place.system.makedirs(place.path)
    assert [parts.times_begun(place.url, PART["part"]) for _ in range(2)] == [1, 2]
    parts.forget_begun(place.url, PART["part"])
    assert place.names() == set()
    place.fill(place.path, {BEGUN: b"", UNFINISHED: b"", PART["part"]: b""})
    parts.remove_unfinished(place.url)
    assert place.names() == {PART["part"]}


def test_a_job_is_begun_and_continued_in_a_folder_of_any_name(place):
    parts.begin(place.url, {"top_k": 4})
    place.fill(place.path, {f"{parts.INPUT}/0.parquet": b""})
    parts.begin(place.url, {"top_k": 5})  # the first came to nothing: no part is there
    assert place.content(place.path) == {parts.JOB: b'{\n "top_k": 5\n}'}
    place.fill(place.path, {PART["part"]: b""})
    parts.begin(place.url, {"top_k": 5})
    with pytest.raises(ValueError, match="holds a run with another top_k") as refused:
        parts.begin(place.url, {"top_k": 6})
    assert str(refused.value).startswith(place.url)
    place.system.rm_file(f"{place.path}/{parts.JOB}")
    with pytest.raises(ValueError, match="is not empty, and not the folder of an earlier run"):
        parts.begin(place.url, {"top_k": 5})


class Rows:
    """A Ray data set, as far as ``keep_input`` knows it."""

    def __init__(self, *files: dict[str, list]) -> None:
        self.files, self.columns = files, None

    def select_columns(self, columns):
        return Rows(*({name: file[name] for name in columns} for file in self.files))

    def write_parquet(self, path, filesystem=None, try_create_dir=True):
        if filesystem is None:
            filesystem, path = fsspec.core.url_to_fs(path)
            filesystem.makedirs(path, exist_ok=True)
        for number, columns in enumerate(self.files):
            pq.write_table(pa.table(columns), f"{path}/{number}.parquet", filesystem=filesystem)


def test_a_data_set_is_kept_in_a_folder_of_any_name(place):
    parts.begin(place.url, {})
    place.fill(place.path, {f"{parts.INPUT}/of an interrupted run.parquet": b""})
    rows = Rows({"text": ["a [MASK]"], "other": [1]}, {"text": ["b [MASK]"], "other": [2]})
    files, _ = reading.files_of(parts.keep_input(rows, place.url, ["text"]))
    kept = reading.Source(files, "text", None, 3)
    assert [row for file in files for row in reading.rows_of(kept, file)] == [
        ("0.parquet:1", "a [MASK]", None),
        ("1.parquet:1", "b [MASK]", None),
    ]
    assert reading.files_of(parts.keep_input(Rows(), place.url, ["text"]))[0] == files  # once is enough


def test_a_data_set_without_rows_is_one_empty_file_in_a_folder_of_any_name(place):
    parts.begin(place.url, {})
    (file,), _ = reading.files_of(parts.keep_input(Rows(), place.url, ["text"]))
    assert list(reading.rows_of(reading.Source([file], "text", None, 3), file)) == []


def test_input_is_read_from_files_and_folders_of_any_name(place):
    texts = {f"{name}.txt": name.encode(errors="replace").split(b"\n")[0] for name in NAMES}
    place.fill(place.path, texts)
    files, sizes = reading.files_of(place.url)
    found = reading.Source(files, "text", None, 3)
    rows = [row for file in files for row in reading.rows_of(found, file)]
    assert sorted(sizes) == sorted(map(len, texts.values()))
    assert {row[0]: row[1].encode() for row in rows} == {
        f"{name}:1".encode(errors="replace").decode(): text for name, text in texts.items()
    }
    for name, text in texts.items():
        (file,), _ = reading.files_of(f"{place.url}/{name}")
        assert [row[1].encode() for row in reading.rows_of(reading.Source([file], "text", None, 3), file)] == [text]


def test_a_source_is_a_glob_only_if_nothing_is_called_so(tmp_path):
    for name in ("in[1]/a.txt", "in1/b.txt", "c[1].txt", "c1.txt", "d1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(wanted):
        return [name.removeprefix(f"file://{tmp_path}/") for name in reading.files_of(f"{tmp_path}/{wanted}")[0]]

    assert found("in[1]") == ["in[1]/a.txt"] and found("in[[]1]/*") == ["in[1]/a.txt"]
    assert found("in[1]/*") == ["in1/b.txt"]  # nothing is called so, hence a glob, and all of it
    assert found("c[1].txt") == ["c[1].txt"] and found("d[1].txt") == ["d1.txt"]
    assert found("[cd]1.txt") == found("?1.txt") == ["c1.txt", "d1.txt"]
    with pytest.raises(FileNotFoundError, match=r"no file is called .*; in a glob, write \[\[\] for a bracket"):
        found("e[1].txt")


@pytest.mark.parametrize("name", ["~", "a:b", "file:out", "memory::out", "deep/a://b"])
def test_what_is_no_url_is_a_path_in_the_working_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    parts.begin(name, {})
    parts.write_part(name, PART, ANSWERS)
    assert (tmp_path / name / PART["part"]).is_file()
    assert parts.rows_done(storage.as_url(name)) == parts.rows_done(name) == {PART["part"]: 3}
    assert storage.as_url("s3://bucket/[in]") == "s3://bucket/[in]"


class Remembering(MemoryFileSystem):
    """Does what file systems over a network do: it lists a folder once, and again only when told that others may have
    written, and lists the folder itself, too."""

    protocol = "remembering"
    find, info = AbstractFileSystem.find, AbstractFileSystem.info  # by way of `ls`
    listed: dict[str, list] = {}

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("remembering://"))

    def ls(self, path, detail=True, **kwargs):
        path = self._strip_protocol(path)
        if path not in self.listed:
            itself = [] if path in self.store else [{"name": f"{path}/", "size": 0, "type": "directory"}]
            self.listed[path] = super().ls(path, detail=True) + itself
        return self.listed[path] if detail else [entry["name"] for entry in self.listed[path]]

    def invalidate_cache(self, path=None):
        path = self._strip_protocol(path)
        while path:
            self.listed.pop(path, None)
            path = path.rpartition("/")[0]
        self.listed.pop("", None)


def test_what_another_process_has_written_meanwhile_is_seen(tmp_path):
    fsspec.register_implementation("remembering", Remembering, clobber=True)
    folder, others = f"remembering:///{tmp_path.name}", f"memory:///{tmp_path.name}"
    parts.begin(folder, {"top_k": 5})
    assert (parts.rows_done(folder), parts.times_begun(folder, PART["part"])) == ({}, 1)
    parts.write_part(others, PART, ANSWERS)
    assert parts.times_begun(others, PART["part"]) == 2
    assert parts.rows_done(folder) == {PART["part"]: 3} and parts.times_begun(folder, PART["part"]) == 3
    with pytest.raises(ValueError, match="holds a run with another top_k"):
        parts.begin(folder, {"top_k": 6})
    parts.remove_unfinished(others)
    assert parts.times_begun(folder, PART["part"]) == 1 and parts.answers(folder).num_rows == 3
    fsspec.filesystem("memory").rm_file(f"/{tmp_path.name}/{parts.JOB}")
    with pytest.raises(ValueError, match="is not empty, and not the folder of an earlier run"):
        parts.begin(folder, {"top_k": 5})


def test_a_folder_that_lists_itself_is_empty(tmp_path):
    fsspec.register_implementation("remembering", Remembering, clobber=True)
    folder = f"remembering:///{tmp_path.name}"
    fsspec.filesystem("memory").makedirs(f"/{tmp_path.name}/{parts.INPUT}")
    parts.begin(f"{folder}/{parts.INPUT}", {"top_k": 5})
    for top_k, rows in enumerate([Rows({"text": ["[MASK]"]}), Rows()], start=5):
        parts.begin(f"{folder}/new", {"top_k": top_k})  # and what the first has kept is forgotten
        (file,), _ = reading.files_of(parts.keep_input(rows, f"{folder}/new", ["text"]))
        assert len(list(reading.rows_of(reading.Source([file], "text", None, 3), file))) == len(rows.files)
