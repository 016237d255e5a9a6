"""``python -m trt_helpers fill-mask``: a sentence prints its table; what it cannot do is said in a line."""

import subprocess
import sys

import pytest

from trt_helpers.__main__ import main
from trt_helpers.decoding.answers import Candidate, Filled
from trt_helpers.scaling.command import table


def test_a_sentence_prints_its_table(tiny_bert_folder, capsys):
    assert main(["fill-mask", "Paris is the [MASK] of France.", "--model", str(tiny_bert_folder), "--top-k", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Paris is the [MASK] of France.", "[MASK]"] and len(lines) == 5
    shares = [float(line.split("%")[0]) for line in lines[2:]]
    assert shares == sorted(shares, reverse=True) and all(0 < share < 100 for share in shares)


def test_several_masks_are_numbered():
    result = Filled("[MASK] and [MASK]", [[Candidate("salt", 0.75)], [Candidate("pepper", 0.051)]])
    assert table(result).splitlines() == [result.sentence, "[MASK] 1", "   75.0%  salt", "[MASK] 2", "    5.1%  pepper"]


def test_a_sentence_that_is_too_long_is_told_so(tiny_bert_folder, capsys):
    assert main(["fill-mask", "word " * 99 + "[MASK]", "--model", str(tiny_bert_folder)]) == 1
    assert "has 102 tokens, at most 64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no mask in it"], "'no mask in it' has no [MASK], so it should be files; say with --out where"),
        (["[MASK]", "--top-k", "0"], "top_k is 1 to 20"),
        (["[MASK]", "--model", "no/such folder"], "no/such folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(tiny_bert_folder, capsys, arguments, words):
    model = [] if "--model" in arguments else ["--model", str(tiny_bert_folder)]
    assert main(["fill-mask", *arguments, *model]) == 1
    out, err = capsys.readouterr()
    assert out == "" and words in err and "Traceback" not in err


def test_an_interrupted_run_says_what_it_kept(tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("trt_helpers.scaling.command._decoded", interrupted)
    assert main(["fill-mask", "in.txt", "--out", "answers"]) == 130
    err = capsys.readouterr().err
    assert err == "Interrupted. What was answered is kept in answers; the same again does the rest.\n"


@pytest.mark.slow
def test_ray_is_imported_by_nobody_who_does_not_ask_for_it():
    program = "import sys; from trt_helpers.scaling import command, dataset; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_without_ray_it_is_said_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # so that nothing is set for a local Ray
    (tmp_path / "in.txt").write_text("[MASK]\n")
    assert main(["fill-mask", str(tmp_path / "in.txt"), "--out", str(tmp_path / "out")]) == 1
    assert "the extra `scale`: pip install -e '.[scale]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
