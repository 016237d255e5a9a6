import pytest

import trt_helpers as th
from trt_helpers.building import progress


class Broken:
    """A bar on a closed screen."""

    def __init__(self, *_, **__):
        pass

    def __getattr__(self, name):
        raise ValueError("I/O operation on closed file")


def build(adder, **options):
    return th.build_plan(adder, th.Profile.same(("x", "w"), (1, 4), (2, 8), (8, 16)), **options)


@pytest.mark.parametrize(
    ("variable", "argument", "shown"),
    [("0", None, False), ("1", None, True), (None, None, True), ("0", True, True), ("1", False, False)],
)
def test_bar_is_shown_unless_it_is_switched_off(adder, monkeypatch, capsys, variable, argument, shown):
    monkeypatch.delenv("TRT_HELPERS_PROGRESS", raising=False)
    if variable is not None:
        monkeypatch.setenv("TRT_HELPERS_PROGRESS", variable)
    assert build(adder, progress=argument).nbytes > 0
    out, err = capsys.readouterr()
    assert out == ""
    assert ("Building engine" in err) == shown


def test_a_bar_that_cannot_be_drawn_does_not_cancel_the_build(adder, monkeypatch):
    monkeypatch.setattr(progress, "tqdm", Broken)
    assert build(adder, progress=True).nbytes > 0


def test_monitor_always_says_go_on():
    monitor = progress.TqdmMonitor()
    assert monitor.step_complete("never started", 0) is True
    monitor.phase_start("root", None, 2)
    monitor.phase_start("inner", "root", 1)
    assert monitor.step_complete("inner", 0) is True
    assert monitor.step_complete("root", 0) is True
    monitor.phase_finish("root")
    monitor.close()
