"""Reading what people have, bad rows and all."""

import bz2
import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trt_helpers.scaling import reading


def source(*files: Path, column="text", id_column=None, batch_size=3) -> reading.Source:
    return reading.Source([str(file) for file in files], column, id_column, batch_size)


def rows(file: Path, **options) -> list[reading.Row]:
    return list(reading.rows_of(source(file, **options), str(file)))


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
    names, _ = reading.files_of(f"{tmp_path}/in/*/a.txt")
    both = reading.Source(names, "text", None, 3)
    assert [row[0] for name in names for row in reading.rows_of(both, name)] == ["monday/a.txt:1", "tuesday/a.txt:1"]


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
        reading.check_columns(source(tmp_path / "a.parquet", column="review", id_column="id"))
    (tmp_path / "a.txt").touch()
    reading.check_columns(source(tmp_path / "a.txt"))


def test_files_are_found_by_name_folder_and_glob_without_hidden_ones(tmp_path):
    for name in ("b.txt", "a.txt", "_job.json", ".hidden"):
        (tmp_path / name).write_text("x" * len(name))
    (tmp_path / "sub").mkdir()
    for wanted in (str(tmp_path), f"{tmp_path}/*"):
        names, sizes = reading.files_of(wanted)
        assert [Path(name).name for name in names] == ["a.txt", "b.txt"] and sizes == [5, 5]
    assert len(reading.files_of(f"{tmp_path}/b*")[0]) == len(reading.files_of(f"{tmp_path}/b.txt")[0]) == 1
    with pytest.raises(FileNotFoundError, match="no file is called .*c.txt"):
        reading.files_of(f"{tmp_path}/c.txt")
