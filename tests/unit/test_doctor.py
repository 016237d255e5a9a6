import os
import subprocess
import sys

import pytest
import torch

import trt_helpers as th
from trt_helpers import doctor
from trt_helpers.decoding import model as masked_lm


@pytest.fixture
def with_tiny_model(monkeypatch, tiny_bert_folder, tiny_bert):
    monkeypatch.setattr(masked_lm, "MODEL_FOLDER", tiny_bert_folder)


def test_report_of_a_machine_that_works(with_tiny_model, capsys):
    assert doctor.main() == 0
    out = capsys.readouterr().out
    assert out.startswith(f"This machine gets the lane '{th.lane.name}': {th.lane.why}.\n")
    for lane, reason in th.lane.others.items():
        assert any(line.split() == f"{lane} {reason}".split() for line in out.splitlines())
    for heading in ("Why not the other lanes", "Versions", "Machine", "One inference"):
        assert f"\n{heading}\n" in out
    versions = dict(line.split(maxsplit=1) for line in out.split("Versions\n")[1].split("\n\n")[0].splitlines())
    assert torch.__version__.partition("+")[0] == versions["torch"].partition("+")[0]
    assert versions["tensorrt_rtx"] == doctor.version("tensorrt_rtx")
    assert "ExecutionProvider" in out
    assert "shipped, found" in out
    sentence = out.splitlines()[-1]
    assert "Paris is the " in sentence and sentence.endswith(" ms)")


def test_a_failed_inference_is_exit_1_with_its_reason(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(masked_lm, "MODEL_FOLDER", tmp_path / "nowhere")
    assert doctor.main() == 1
    out, err = capsys.readouterr()
    assert "the shipped model is missing" in out
    assert "One inference  FAILED: There is no folder" in err and "nowhere" in err


def run_doctor(*command: str, **environment: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    command = [sys.executable, "-m", "trt_helpers", *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_without_a_lane_the_command_still_reports_and_exits_1():
    done = run_doctor(TRT_HELPERS_BACKEND="nonsense")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "TRT_HELPERS_BACKEND='nonsense' is not a lane; the lanes are tensorrt, tensorrt_rtx, reference.\n\nVersions\n"
    )
    assert done.stderr == "\nOne inference  FAILED: there is no lane to run it in\n"


@pytest.mark.parametrize("command", [["verify"], ["fill-mask", "Paris is the [MASK] of France."], ["--json"]])
def test_without_a_lane_no_command_ends_in_a_traceback(command):
    done = run_doctor(*command, TRT_HELPERS_BACKEND="nonsense")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "'nonsense' is not a lane" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12"])
def test_tensorrt_rtx_counts_under_each_name_that_it_is_distributed_by(name, monkeypatch):
    def version(asked: str) -> str:
        if asked != name:
            raise doctor.PackageNotFoundError(asked)
        return "1.7.1"

    monkeypatch.setattr(doctor, "version", version)
    assert doctor.facts()["versions"]["tensorrt_rtx"] == "1.7.1"


def test_the_command_exits_0_with_the_shipped_model(shipped, monkeypatch):
    monkeypatch.setenv("TRT_HELPERS_CACHE", str(shipped.onnx.parent))
    done = run_doctor()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Paris is the capital of France." in done.stdout


def test_show_lane_prints_three_lines(capsys):
    th.show_lane()
    lane, tensorrt, pytorch = capsys.readouterr().out.splitlines()
    assert lane.split()[:2] == ["lane", f"{th.lane.name}:"]
    assert tensorrt.endswith(th.trt.__version__)
    assert "PyTorch" in pytorch and th.device.type in pytorch
