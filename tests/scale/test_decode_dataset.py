"""Workers on a real Ray: every row answered once, whatever dies, and the answers are those of one process."""

import json
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trt_helpers import MaskedWordDecoder
from trt_helpers.__main__ import main
from trt_helpers.scaling import parts
from trt_helpers.scaling.dataset import decode_dataset
from trt_helpers.scaling.reports import WHAT_STAYS
from trt_helpers.scaling.worker import KILLER, TRIES, from_plan

from .stubs import Deadly, DiesLoading, Echo, Meeting, Waiting

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray")]


def sentences(count: int) -> list[str]:
    return [f"The [MASK] number {i}" for i in range(count)]


def text_file(folder: Path, lines: list[str], name="in.txt") -> Path:
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def answered(folder: Path) -> dict[str, dict]:
    """Answers by id; a row that is there twice is a failure."""
    rows = parts.answers(str(folder)).to_pylist()
    assert not [row for row, count in Counter(row["id"] for row in rows).items() if count > 1]
    return {row["id"]: row for row in rows}


def check_all(folder: Path, count: int, name="in.txt") -> None:
    found = answered(folder)
    assert {key: row["words"] for key, row in found.items()} == {f"{name}:{i + 1}": [[str(i)]] for i in range(count)}
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_one_file_feeds_two_workers_and_every_row_comes_once(tmp_path):
    seen, meeting = [], tmp_path / "meeting"
    meeting.mkdir()
    source = text_file(tmp_path, sentences(95))
    how = {"workers": 2, "batch_size": 10, "top_k": 1, "make_decoder": partial(Meeting, meeting, 2)}
    summary = decode_dataset(source, tmp_path / "out", on_part=seen.append, **how)
    check_all(tmp_path / "out", 95)
    assert (summary.rows, summary.errors, summary.earlier, len(summary.workers)) == (95, 0, 0, 2)
    assert sorted(report.rows for report in seen) == [5] + [10] * 9
    assert 0 < summary.start_up_s < summary.seconds and str(summary).startswith("95 rows, 0 with an error, ")


def test_answers_are_those_of_one_process_and_a_bad_row_has_its_error(tmp_path, tiny_bert_folder):
    good = ["Paris is the [MASK] of France.", "the [MASK] word is [MASK] a language", "[MASK]"] * 5
    bad = ["No mask.", "", "word " * 4997 + "[MASK] .", 5, None]
    rows = [{"id": i, "text": text} for i, text in enumerate([*good, *bad])]
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\n".join([*(json.dumps(row).encode() for row in rows), b'{"id": 99, "text": "\xff"}']))
    decode_dataset(source, tmp_path / "out", workers=2, batch_size=7, id_column="id", model=str(tiny_bert_folder))
    found = answered(tmp_path / "out")
    decoder = MaskedWordDecoder.from_pretrained(tiny_bert_folder)
    for i, result in enumerate(decoder(good)):
        row = found[str(i)]
        assert row["error"] is None and row["words"] == [[c.word for c in mask] for mask in result.candidates]
        for mask, shown in zip(result.candidates, row["probabilities"], strict=True):
            assert shown == pytest.approx([c.probability for c in mask], abs=1e-5)
    says = ["no [MASK]", "it is empty", "has 5001 tokens, at most 64", "this is int", "this is NoneType"]
    for i, words in enumerate(says, start=len(good)):
        assert words in found[str(i)]["error"] and found[str(i)]["words"] == []
    assert "not UTF-8" in found["in.jsonl:21"]["error"] and len(found) == 21


def test_parquet_by_glob_and_a_ray_dataset(tmp_path, ray, recwarn):
    for part in range(2):
        rows = sentences(40)[part * 20 : (part + 1) * 20]
        table = pa.table({"review": rows, "key": range(part * 20, part * 20 + 20), "other": [0] * 20})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    options = {"batch_size": 8, "top_k": 2, "column": "review", "id_column": "key", "make_decoder": Echo}
    decode_dataset(f"{tmp_path}/*.parquet", tmp_path / "from glob", **options)
    dataset = ray.data.read_parquet([f"{tmp_path}/0.parquet", f"{tmp_path}/1.parquet"])
    decode_dataset(dataset, tmp_path / "from ray", **options)
    expected = {str(i): [[str(i)] * 2] for i in range(40)}
    for folder in ("from glob", "from ray"):
        assert {key: row["words"] for key, row in answered(tmp_path / folder).items()} == expected
    again = decode_dataset(dataset, tmp_path / "from ray", workers=2, **options)  # more workers than parts are left
    assert not [found for found in recwarn if "concurrent actors" in str(found.message)]
    assert (again.rows, again.earlier, again.rate) == (0, 40, 0) and again.start_up_s == again.seconds > 0
    assert str(again).startswith("nothing was left to do: 40 rows were there, ")


def test_a_dataset_without_rows_has_no_answers(tmp_path, ray):
    dataset = ray.data.from_items([{"text": "The [MASK]"}]).filter(lambda row: False)
    summary = decode_dataset(dataset, tmp_path / "out", make_decoder=Echo)
    assert (summary.rows, summary.earlier, parts.answers(str(tmp_path / "out")).num_rows) == (0, 0, 0)


def test_the_command_line(tmp_path, tiny_bert_folder, capsys):
    source = text_file(tmp_path, ["Paris is the [MASK] of France.", "no mask"])
    arguments = ["fill-mask", str(source), "--out", str(tmp_path / "out"), "--workers", "1", "--top-k", "3"]
    assert main([*arguments, "--model", str(tiny_bert_folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Starting 1 worker:") and lines[1].startswith("2 rows, 1 with an error, ")
    found = answered(tmp_path / "out")
    assert [len(mask) for mask in found["in.txt:1"]["words"]] == [3] and "no [MASK]" in found["in.txt:2"]["error"]


def test_a_workers_memory_does_not_grow_with_the_rows(tmp_path):
    source, reports = tmp_path / "in.txt", []
    with source.open("w") as file:
        file.writelines(f"The [MASK] number {i}\n" for i in range(300_000))
    decode_dataset(source, tmp_path / "out", batch_size=5_000, top_k=1, make_decoder=Echo, on_part=reports.append)
    memory = [report.memory for report in sorted(reports, key=lambda report: report.started)]
    assert sum(report.rows for report in reports) == 300_000
    assert max(memory) < max(memory[:10]) + 16 * 2**20, "300,000 rows take no more than 50,000, and some scatter"


# ---- what dies ----------------------------------------------------------------------------------------------------


def test_a_killed_worker_loses_and_doubles_no_row(tmp_path):
    gate, killed = tmp_path / "gate", []

    def kill_once(report):
        if not killed:  # after its first part, while it holds others
            killed.append(report.worker)
            os.kill(report.worker, signal.SIGKILL)
            gate.touch()

    lines = [f"{line.replace(' number', ' wait' if i >= 10 else ' number')}" for i, line in enumerate(sentences(200))]
    source = text_file(tmp_path, lines)
    summary = decode_dataset(
        source,
        tmp_path / "out",
        workers=2,
        batch_size=10,
        top_k=1,
        make_decoder=partial(Waiting, gate),
        on_part=kill_once,
    )
    check_all(tmp_path / "out", 200)
    assert summary.rows == 200 and killed[0] in summary.workers


def test_rows_that_kill_their_workers_get_an_error_in_the_end(tmp_path):
    lines = sentences(40)
    lines[25] = "You [MASK] die"
    summary = decode_dataset(
        text_file(tmp_path, lines), tmp_path / "out", workers=1, batch_size=10, top_k=1, make_decoder=Deadly
    )
    errors = {key: row["error"] for key, row in answered(tmp_path / "out").items() if row["error"]}
    assert errors == dict.fromkeys((f"in.txt:{i}" for i in range(21, 31)), KILLER)
    assert (summary.rows, summary.errors) == (40, 10) and str(TRIES) in KILLER


def test_workers_that_die_while_they_load_are_given_up(tmp_path):
    source = text_file(tmp_path, sentences(3))
    with pytest.raises(Exception, match="every worker died 3 times while it loaded its engine"):
        decode_dataset(source, tmp_path / "out", make_decoder=DiesLoading)
    decode_dataset(source, tmp_path / "out", top_k=1, make_decoder=Echo)  # the folder is not lost
    check_all(tmp_path / "out", 3)


def test_an_engine_that_does_not_load_ends_the_run_in_its_own_words(tmp_path):
    source = text_file(tmp_path, sentences(3))
    with pytest.raises(Exception, match="There is no plan file .*nothing.plan") as kept:
        decode_dataset(source, tmp_path / "out", make_decoder=partial(from_plan, tmp_path / "nothing.plan"))
    assert kept.value.__notes__ == [WHAT_STAYS.format(tmp_path / "out")]


def test_an_interrupted_run_does_only_what_is_left(tmp_path):
    source, out, seen = text_file(tmp_path, sentences(100)), tmp_path / "out", []

    def interrupt(report):
        seen.append(report)
        if len(seen) == 3:
            raise KeyboardInterrupt

    options = {"workers": 2, "batch_size": 10, "top_k": 1, "make_decoder": Echo}
    with pytest.raises(KeyboardInterrupt) as kept:  # and with it the frames, as a notebook keeps them
        decode_dataset(source, out, on_part=interrupt, **options)
    there = {file.name: file.stat().st_mtime_ns for file in out.glob("part-*")}
    assert len(there) >= 3
    done = []
    summary = decode_dataset(source, out, on_part=done.append, **options)
    assert not {report.part for report in done} & there.keys(), "a finished part was done again"
    assert {name: (out / name).stat().st_mtime_ns for name in there} == there
    assert summary.rows + summary.earlier == 100 and summary.earlier >= 30
    check_all(out, 100)
    assert kept.value is not None


# What means something in a glob, a template, a URL or a chain of them; and what it stands for as a glob, or cut at ::
ODD, NEIGHBOURS = "[2024] *?{x}%20#;1::file=b", ["2 x{x}%20#;1::file=b", "[2024] *?{x}%20#;1"]
ODDER = " two\nlines\t"


def neighbours(folder: Path) -> dict[Path, bytes]:
    """Make folders with what a run leaves and reads, and return what is in them."""
    for place in (folder / f"{kind} {name}" for kind in ("in", "out") for name in [*NEIGHBOURS, "twolines"]):
        (place / parts.INPUT).mkdir(parents=True)
        for name in (parts.part_name(0, 1), f".{parts.part_name(0, 1)}.begun.0", f"{parts.INPUT}/0.parquet", "in.txt"):
            (place / name).write_bytes(b"not ours")
    return content(folder)


def content(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_run_with_odd_names_is_continued_and_leaves_its_neighbours_alone(tmp_path):
    before, seen = neighbours(tmp_path), []
    source, out = tmp_path / f"in {ODD}", tmp_path / f"out {ODD}"
    source.mkdir()
    file = text_file(source, sentences(60), name=f"day {ODD}.txt")

    def interrupt(report):
        seen.append(report)
        if len(seen) == 2:
            raise KeyboardInterrupt

    options = {"batch_size": 10, "top_k": 1, "make_decoder": Echo}
    with pytest.raises(KeyboardInterrupt):
        decode_dataset(source, out, on_part=interrupt, **options)
    summary = decode_dataset(source, out, **options)
    assert summary.rows + summary.earlier == 60 and summary.earlier >= 20
    assert decode_dataset(file, out, **options).earlier == 60
    check_all(out, 60, name=file.name)
    ours = [path for path in content(tmp_path) if path == file or out in path.parents]
    assert {path: data for path, data in content(tmp_path).items() if path not in ours} == before


@pytest.mark.parametrize("odd", [ODD, ODDER])
def test_a_ray_dataset_is_kept_in_a_folder_with_an_odd_name(tmp_path, ray, odd):
    before, out = neighbours(tmp_path), tmp_path / f"out {odd}"
    dataset = ray.data.from_items([{"text": text, "key": i} for i, text in enumerate(sentences(20))])
    options = {"batch_size": 10, "top_k": 1, "id_column": "key", "make_decoder": Echo}
    assert decode_dataset(dataset, out, **options).rows == 20
    assert decode_dataset(dataset, out, **options).earlier == 20
    assert {key: row["words"] for key, row in answered(out).items()} == {str(i): [[str(i)]] for i in range(20)}
    assert {path: data for path, data in content(tmp_path).items() if out not in path.parents} == before


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_a_sink_of_another_run_is_refused(tmp_path):
    source = text_file(tmp_path, sentences(3))
    decode_dataset(source, tmp_path / "out", top_k=1, make_decoder=Echo)
    with pytest.raises(ValueError, match="holds a run with another top_k"):
        decode_dataset(source, tmp_path / "out", top_k=2, make_decoder=Echo)
    text_file(tmp_path, sentences(30))
    with pytest.raises(ValueError, match="holds a run with another sizes"):
        decode_dataset(source, tmp_path / "out", top_k=1, make_decoder=Echo)


def test_a_missing_column_stops_the_run_and_says_so(tmp_path):
    pq.write_table(pa.table({"review": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="^a.parquet has no column 'text'; it has review$"):
        decode_dataset(tmp_path / "a.parquet", tmp_path / "out", make_decoder=Echo)
    assert not (tmp_path / "out").exists()


def test_more_words_than_the_engine_has_are_refused_before_a_worker_starts(tmp_path, tiny_bert_folder):
    source = text_file(tmp_path, ["Paris is the [MASK] of France."])
    with pytest.raises(ValueError, match="top_k is 1 to 20"):
        decode_dataset(source, tmp_path / "out", top_k=21, model=tiny_bert_folder)
    decode_dataset(source, tmp_path / "out", top_k=20, model=tiny_bert_folder)  # the mistake is forgotten
    assert len(answered(tmp_path / "out")["in.txt:1"]["words"][0]) == 20


def test_a_file_without_rows_has_no_answers(tmp_path):
    summary = decode_dataset(text_file(tmp_path, []), tmp_path / "out", make_decoder=Echo)
    assert (summary.rows, summary.earlier, parts.answers(str(tmp_path / "out")).num_rows) == (0, 0, 0)


@pytest.mark.parametrize("name", ["workers", "batch_size", "top_k", "threads"])
def test_numbers_below_one_are_refused_before_anything_starts(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        decode_dataset("nowhere", tmp_path / "out", **{name: 0})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"workers": 3, "gpus_per_worker": 0}, "3 workers and a reader ask for 2.5 cores, and Ray counts 2 here"),
        ({"workers": 2, "gpus_per_worker": 99}, "2 workers with 99 GPUs each, and Ray counts"),
        ({"gpus_per_worker": -1}, "gpus_per_worker is -1; it must be 0, a fraction, or a whole number"),
    ],
)
def test_what_this_machine_will_never_have_is_not_waited_for(tmp_path, asked, words):
    source = text_file(tmp_path, sentences(3))
    with pytest.raises(ValueError, match=words):
        decode_dataset(source, tmp_path / "out", make_decoder=Echo, **asked)
    assert not (tmp_path / "out").exists()


def test_a_machine_without_the_plan_takes_rays_copy(ray, tiny_bert_folder):
    decoder = MaskedWordDecoder.from_pretrained(tiny_bert_folder)
    copies = ray.put(decoder.plan.read_bytes())
    other = from_plan("not here.plan", str(tiny_bert_folder), copies)
    sentence = "Paris is the [MASK] of France."
    assert [c.word for c in other(sentence)[0].candidates[0]] == [c.word for c in decoder(sentence)[0].candidates[0]]
