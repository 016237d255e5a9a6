"""The questions to real hardware: each runs, and whatever it does, the report is written."""

import json

import pytest

import trt_helpers as th
from trt_helpers.course import questions, verify
from trt_helpers.doctor import shareable, without_paths


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_every_question_has_a_text_and_an_answer_that_json_can_hold(name):
    ask = questions.QUESTIONS[name]
    assert ask.__doc__.strip().endswith("?")
    answer = ask()
    assert answer and json.loads(json.dumps(answer)) == answer


def test_a_crash_is_an_answer(monkeypatch):
    result = verify._run(["-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], limit=30)
    assert result["status"] == "crashed (signal 11)"


def test_a_hang_is_an_answer_and_ends():
    result = verify._run(["-c", "import time; time.sleep(60)"], limit=1)
    assert result["status"] == "stopped after 1 s"


def test_a_failure_reports_its_last_line():
    result = verify._run(["-c", "raise SystemExit('no such thing')"], limit=30)
    assert (result["status"], result["last"]) == ("failed", "no such thing")


def test_the_report_is_written_and_readable_also_when_a_question_crashes(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verify, "QUESTIONS", {"Q1": questions.q1, "Q7": questions.q7})
    monkeypatch.setattr(verify, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(
        verify,
        "_run",
        lambda arguments, limit: {
            "status": "ok" if "Q1" in arguments else "crashed (signal 11)",
            "seconds": 0.1,
            "last": '{"accepted": false}' if "Q1" in arguments else "",
        },
    )
    assert verify.main(str(tmp_path / "report.json")) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["machine"]["lane"] == th.lane.name
    assert report["questions"]["Q1"]["answer"] == {"accepted": False}
    assert report["questions"]["Q7"]["status"] == "crashed (signal 11)"
    assert "1 of 2 ran to their end" in capsys.readouterr().out


@pytest.mark.skipif(th.lane.name != "reference", reason="says what the reference lane's report says")
def test_the_reference_lane_claims_no_evidence(monkeypatch, tmp_path):
    monkeypatch.setattr(verify, "QUESTIONS", {})
    monkeypatch.setattr(verify, "NOTEBOOKS", tmp_path)
    assert "no evidence about TensorRT" in verify.report()["evidence"]


def test_reports_hold_no_path_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = without_paths(f"{verify.NOTEBOOKS}/01.ipynb and {tmp_path}/secret")
    assert str(tmp_path) not in shown and str(verify.NOTEBOOKS) not in shown
    assert "<course>/notebooks/01.ipynb" in shown


def test_names_that_json_spells_differently_are_hidden_too(monkeypatch, tmp_path):
    home = tmp_path / "jürgen"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    shown = json.dumps(shareable({"a": [f"{home}/x", 1], "b": {"c": None}}))
    assert "rgen" not in shown and json.loads(shown) == {"a": ["~/x", 1], "b": {"c": None}}
