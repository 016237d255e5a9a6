"""Reading what people have, bad rows and all, and writing answers whole or not at all. No Ray in here."""

import bz2
import gzip
import io
import json
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from trt_helpers.decoding.model import Candidate
from trt_helpers.decoding.sentences import Filled
from trt_helpers.scaling import parts


def source(*files: Path, column="text", id_column=None, batch_size=3) -> parts.Source:
    return parts.Source([str(file) for file in files], column, id_column, batch_size)


def rows(file: Path, **options) -> list[parts.Row]:
    return list(parts.rows_of(source(file, **options), str(file)))


# ---- reading --------------------------------------------------------------------------------------------------


def test_a_line_of_text_is_a_row(tmp_path):
    (tmp_path / "a.txt").write_bytes("eins [MASK]\r\nzwölf [MASK]\n\nlast [MASK]".encode())
    assert rows(tmp_path / "a.txt") == [
        ("a.txt:1", "eins [MASK]", None),
        ("a.txt:2", "zwölf [MASK]", None),
        ("a.txt:3", "", None),
        ("a.txt:4", "last [MASK]", None),
    ]


def test_a_line_that_is_not_utf8_is_named_and_loses_no_other(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"good\nna\xefve\ngood\n")
    assert rows(tmp_path / "a.txt")[1] == ("a.txt:2", None, "not UTF-8: byte 0xef at position 2.")
    assert [row[1] for row in rows(tmp_path / "a.txt")] == ["good", None, "good"]


def test_json_lines_of_every_kind(tmp_path):
    lines = [b'{"id": 7, "text": "good"}', b'{"text": 5}', b'{"id": "b", "text": null}', b"{broken", b"[1]"]
    lines += [b'{"id": 9}', b'{"text": "na\xefve"}', b'{"text": "\\ud800"}', b"[" * 100_000]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    found = rows(tmp_path / "a.jsonl", id_column="id")
    assert [row[0] for row in found] == ["7", "a.jsonl:2", "b", *(f"a.jsonl:{i}" for i in (4, 5)), "9"] + [
        f"a.jsonl:{i}" for i in (7, 8, 9)
    ]
    assert [row[1] for row in found] == ["good"] + [None] * 8
    says = ["this is int, not text", "this is NoneType", "not a row of JSON Lines: Expecting property name"]
    says += ["the line is a JSON list", "has no 'text'", "not UTF-8: byte 0xef at position 12", "surrogate"]
    assert all(word in row[2] for word, row in zip(says, found[1:], strict=False)), found
    assert "JSON Lines" in found[8][2]


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_a_compressed_text_is_told_apart_by_its_name(tmp_path, ending, pack):
    (tmp_path / f"a.jsonl.{ending}").write_bytes(pack(b'{"text": "good"}\n'))
    assert rows(tmp_path / f"a.jsonl.{ending}") == [(f"a.jsonl.{ending}:1", "good", None)]


def test_files_of_one_name_in_several_folders_have_different_ids(tmp_path):
    files = [tmp_path / "in" / day / "a.txt" for day in ("monday", "tuesday")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("[MASK]")
    names, _ = parts.files_of(f"{tmp_path}/in/*/a.txt")
    both = parts.Source(names, "text", None, 3)
    assert [row[0] for name in names for row in parts.rows_of(both, name)] == ["monday/a.txt:1", "tuesday/a.txt:1"]


def test_a_null_is_no_id_and_an_id_that_is_not_utf8_loses_no_row(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": null, "text": "x"}')
    assert rows(tmp_path / "a.jsonl", id_column="id") == [("a.jsonl:1", "x", None)]
    for kind in (pa.string(), pa.large_string()):
        ids = pa.array([b"na\xefve", None, b"c"], pa.binary() if kind == pa.string() else pa.large_binary()).view(kind)
        pq.write_table(pa.table({"id": ids, "text": ["x", "y", "z"]}), tmp_path / "a.parquet")
        assert [row[0] for row in rows(tmp_path / "a.parquet", id_column="id")] == ["na\ufffdve", "a.parquet:2", "c"]


def test_parquet_reads_the_named_columns_and_keeps_bad_values(tmp_path):
    bad = pa.array([b"good", b"na\xefve", None], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"review": bad, "key": [1, 2, 3]}), tmp_path / "a.parquet")
    found = rows(tmp_path / "a.parquet", column="review", id_column="key")
    assert [row[:2] for row in found] == [("1", "good"), ("2", None), ("3", None)]
    assert "not UTF-8: byte 0xef" in found[1][2] and "this is NoneType" in found[2][2]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.binary()])
def test_other_kinds_of_text_in_parquet(tmp_path, kind):
    pq.write_table(pa.table({"text": pa.array(["one", "two"]).cast(kind)}), tmp_path / "a.parquet")
    assert [row[1] for row in rows(tmp_path / "a.parquet")] == ["one", "two"]


def test_numbers_in_parquet_are_bad_rows(tmp_path):
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "a.parquet")
    assert [row[1] for row in rows(tmp_path / "a.parquet")] == [None, None]


def test_a_parquet_file_without_the_column_is_no_matter_of_rows(tmp_path):
    pq.write_table(pa.table({"review": ["x"], "key": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="a.parquet has no column 'text'; it has review, key"):
        rows(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="a.parquet has no column 'id'; it has review, key"):
        parts.check_columns(source(tmp_path / "a.parquet", column="review", id_column="id"))
    (tmp_path / "a.txt").touch()
    parts.check_columns(source(tmp_path / "a.txt"))


def test_files_are_found_by_name_folder_and_glob_without_hidden_ones(tmp_path):
    for name in ("b.txt", "a.txt", "_job.json", ".hidden"):
        (tmp_path / name).write_text("x" * len(name))
    (tmp_path / "sub").mkdir()
    for wanted in (str(tmp_path), f"{tmp_path}/*"):
        names, sizes = parts.files_of(wanted)
        assert [Path(name).name for name in names] == ["a.txt", "b.txt"] and sizes == [5, 5]
    assert len(parts.files_of(f"{tmp_path}/b*")[0]) == len(parts.files_of(f"{tmp_path}/b.txt")[0]) == 1
    with pytest.raises(FileNotFoundError, match="no file is called .*c.txt"):
        parts.files_of(f"{tmp_path}/c.txt")


def test_parts_are_named_after_their_first_row_and_left_out_when_done(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{i}\n" for i in range(7)))
    found = list(parts.parts_of(source(tmp_path / "b.txt", tmp_path / "a.txt"), 1))
    assert [part["part"] for part in found] == [parts.part_name(1, first) for first in (1, 4, 7)]
    assert [part["texts"] for part in found] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    done = frozenset(part["part"] for part in found[:2])
    assert list(parts.parts_of(source(tmp_path / "b.txt", tmp_path / "a.txt"), 1, done)) == found[2:]


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
    files, _ = parts.files_of(parts.keep_input(rows, place.url, ["text"]))
    kept = parts.Source(files, "text", None, 3)
    assert [row for file in files for row in parts.rows_of(kept, file)] == [
        ("0.parquet:1", "a [MASK]", None),
        ("1.parquet:1", "b [MASK]", None),
    ]
    assert parts.files_of(parts.keep_input(Rows(), place.url, ["text"]))[0] == files  # once is enough


def test_a_data_set_without_rows_is_one_empty_file_in_a_folder_of_any_name(place):
    parts.begin(place.url, {})
    (file,), _ = parts.files_of(parts.keep_input(Rows(), place.url, ["text"]))
    assert list(parts.rows_of(parts.Source([file], "text", None, 3), file)) == []


def test_input_is_read_from_files_and_folders_of_any_name(place):
    texts = {f"{name}.txt": name.encode(errors="replace").split(b"\n")[0] for name in NAMES}
    place.fill(place.path, texts)
    files, sizes = parts.files_of(place.url)
    found = parts.Source(files, "text", None, 3)
    rows = [row for file in files for row in parts.rows_of(found, file)]
    assert sorted(sizes) == sorted(map(len, texts.values()))
    assert {row[0]: row[1].encode() for row in rows} == {
        f"{name}:1".encode(errors="replace").decode(): text for name, text in texts.items()
    }
    for name, text in texts.items():
        (file,), _ = parts.files_of(f"{place.url}/{name}")
        assert [row[1].encode() for row in parts.rows_of(parts.Source([file], "text", None, 3), file)] == [text]


def test_a_source_is_a_glob_only_if_nothing_is_called_so(tmp_path):
    for name in ("in[1]/a.txt", "in1/b.txt", "c[1].txt", "c1.txt", "d1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(wanted):
        return [name.removeprefix(f"file://{tmp_path}/") for name in parts.files_of(f"{tmp_path}/{wanted}")[0]]

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
    assert parts.rows_done(parts.as_url(name)) == parts.rows_done(name) == {PART["part"]: 3}
    assert parts.as_url("s3://bucket/[in]") == "s3://bucket/[in]"


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
        (file,), _ = parts.files_of(parts.keep_input(rows, f"{folder}/new", ["text"]))
        assert len(list(parts.rows_of(parts.Source([file], "text", None, 3), file))) == len(rows.files)
