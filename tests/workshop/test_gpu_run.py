"""The run on a GPU: what is compared, what the page says. The run itself needs a GPU."""

import subprocess

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import gpu_run
from tools.run_checks import Result
from trt_helpers import device

MEASURED = {
    "table": "| work | new | 1.00 ms | 0.50 to 1.50 ms | 2.00x |",
    "overlap": {
        "requests": "12 requests of 64 x 128 tokens",
        "total_ms": 10.0,
        "two_executions_at_once_ms": 1.0,
        "two_contexts_busy_at_once_ms": 6.0,
    },
}


def test_only_cells_that_depend_on_the_lane_are_not_compared():
    cells = [
        new_markdown_cell("text"),
        new_code_cell("1"),
        new_code_cell("2", metadata={"tags": ["lane-output", "raises-exception"]}),
        new_code_cell("3", metadata={"tags": ["nbval-ignore-output"]}),
    ]
    notebook = new_notebook(cells=cells)
    assert gpu_run.ignore_lane_outputs(notebook) == 2
    ignored = [cell.source for cell in notebook.cells if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    assert ignored == ["2", "3"] and "raises-exception" in notebook.cells[2].metadata["tags"]


def test_the_page_says_what_passed_what_failed_and_what_was_measured(monkeypatch):
    monkeypatch.setattr(gpu_run, "driver", lambda: "580.1")
    results = [
        Result("tests", False, 90, 1, 9, seconds=12.3, failures=["tests.unit test_x"]),
        Result("lessons", True, 5),
    ]
    text = gpu_run.page(results, compared=70, only_run=30, measured=MEASURED, left_out=["endurance"], several="No.")
    for words in (
        "| tests | 90 | 1 | 9 | 12 s |",
        "- `tests.unit test_x`",
        "70 were compared with their stored outputs; 30 print what depends on the lane",
        "| work | new | 1.00 ms | 0.50 to 1.50 ms | 2.00x |",
        "A timeline of 12 requests of 64 x 128 tokens through the pipeline: 10.0 ms in all, "
        "for 60% of which both contexts were busy",
        "| driver | 580.1 |",
        "Not run this time: endurance.",
        "## Several GPUs\n\nNo.",
        "Not run here",
    ):
        assert words in text, words


def test_figures_that_could_not_be_measured_are_not_left_out_silently():
    assert gpu_run.streams_table({}) == "benchmarks/streams.py failed."


def test_several_gpus_have_figures_or_a_reason(monkeypatch):
    assert gpu_run.scaling_text({}, wanted=True).startswith(
        "Not run here: needs two GPUs and the packages of the extra"
    )
    monkeypatch.setattr(gpu_run.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(gpu_run.importlib.util, "find_spec", lambda name: name)
    assert gpu_run.can_scale()
    assert gpu_run.scaling_text({}, wanted=True) == "benchmarks/scaling.py failed."
    assert gpu_run.scaling_text({}, wanted=False) == "Not run this time."
    monkeypatch.setattr(gpu_run.importlib.util, "find_spec", lambda name: None)
    assert not gpu_run.can_scale(), "without Ray nothing is tried"


def test_a_scaling_run_that_fails_has_no_older_figures(monkeypatch, tmp_path):
    (tmp_path / "scaling-cuda.json").write_text("{}")
    commands = []

    def fails(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(gpu_run.torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(gpu_run.subprocess, "run", fails)
    result, found = gpu_run.scaling(tmp_path)
    assert (result.ok, result.failed, found) == (False, 1, {})
    assert commands[0][commands[0].index("--workers") :][:4] == ["--workers", "1", "2", "4"]


@pytest.mark.skipif(device.type == "cuda", reason="there is a GPU")
def test_without_a_gpu_nothing_is_written(tmp_path, capsys):
    assert gpu_run.main(["--out", str(tmp_path / "page.md")]) == 2
    assert "No GPU is in use here" in capsys.readouterr().err and not list(tmp_path.iterdir())
