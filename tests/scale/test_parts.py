"""Reading what people have, bad rows and all, and writing answers whole or not at all. No Ray in here."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trt_helpers import parts
from trt_helpers.masked_lm import Candidate
from trt_helpers.sentences import Filled


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
