import sys
import threading

import pytest

from trt_helpers import Logger, trt
from trt_helpers.log import tidy

Severity = trt.ILogger.Severity
ECHO = (
    "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError at "
    "/_src/common/dispatch/checkMacros.cpp:250 (cudaError 35: CUDA driver version is insufficient))"
)


@pytest.mark.parametrize(
    ("severity", "letter", "printed"),
    [
        ("INTERNAL_ERROR", "F", True),
        ("ERROR", "E", True),
        ("WARNING", "W", True),
        ("INFO", "I", False),
        ("VERBOSE", "V", False),
    ],
)
def test_keeps_all_and_prints_warnings_and_worse(capsys, severity, letter, printed):
    log = Logger()
    log.log(getattr(Severity, severity), "hello")
    assert [(m.severity, m.text) for m in log.messages] == [(letter, "hello")]
    assert capsys.readouterr().out == (f"[{letter}] hello\n" if printed else "")


@pytest.mark.parametrize(
    ("show", "out"), [(Severity.ERROR, "[E] e\n"), (Severity.INFO, "[E] e\n[W] w\n[I] i\n"), (None, "")]
)
def test_show_decides_what_is_printed(capsys, show, out):
    log = Logger(show)
    for severity, text in (
        (Severity.ERROR, "e"),
        (Severity.WARNING, "w"),
        (Severity.INFO, "i"),
        (Severity.VERBOSE, "v"),
    ):
        log.log(severity, text)
    assert capsys.readouterr().out == out
    assert len(log.messages) == 4


def test_errors_warnings_and_last_error():
    log = Logger(None)
    assert log.last_error == ""
    for severity, text in (
        (Severity.ERROR, "a"),
        (Severity.WARNING, "w"),
        (Severity.INTERNAL_ERROR, "b"),
        (Severity.INFO, "i"),
    ):
        log.log(severity, text)
    assert (log.errors, log.warnings, log.last_error) == (["a", "b"], ["w"], "b")
    log.clear()
    assert (log.errors, list(log.messages)) == ([], [])


def test_drops_the_no_driver_echo_and_nothing_like_it(capsys):
    log = Logger()
    log.log(Severity.ERROR, ECHO)
    assert not log.messages and capsys.readouterr().out == ""
    for kept in (ECHO.replace("cudaError 35", "cudaError 700"), ECHO.replace("catchCudaError", "ScopedCudaStream")):
        log.log(Severity.ERROR, kept)
    assert len(log.errors) == 2


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, condition: x. "
            "Set dimension. In setInputShape at /_src/runtime/api/executionContext.cpp:2334)",
            "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, condition: x. "
            "Set dimension.)",
        ),
        ("ModelImporter.cpp:1071: Make sure input a has Int64 binding.", "Make sure input a has Int64 binding."),
        ("[checkMacros.cpp::f::250] Error Code 1: text", "Error Code 1: text"),
        ("no position at all", "no position at all"),
        ("", ""),
    ],
)
def test_source_positions_are_stripped_and_the_raw_line_is_kept(raw, text):
    assert tidy(raw) == text
    log = Logger(None)
    log.log(Severity.INFO, raw)
    assert (log.messages[0].text, log.messages[0].raw) == (text, raw)


@pytest.mark.parametrize("severity", [None, 2, "ERROR", object()])
@pytest.mark.parametrize("message", ["text", "", None, 3, b"bytes", "\udcff"])
def test_never_raises_whatever_comes(severity, message):
    log = Logger()
    log.log(severity, message)
    assert len(log.messages) == 1
    assert log.messages[0].severity == "?"


def test_never_raises_with_a_closed_stdout(monkeypatch, tmp_path):
    closed = open(tmp_path / "out", "w")
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    log = Logger()
    log.log(Severity.ERROR, "hello")
    assert log.errors == ["hello"]


def test_quietly_collects_without_printing(capsys):
    log = Logger()
    with log.quietly() as fresh:
        log.log(Severity.ERROR, "inside")
    log.log(Severity.ERROR, "outside")
    assert [m.text for m in fresh] == ["inside"]
    assert log.errors == ["inside", "outside"]
    assert capsys.readouterr().out == "[E] outside\n"


def test_quietly_ends_with_an_exception_and_nests(capsys):
    log = Logger()
    with pytest.raises(KeyError), log.quietly() as outer:
        log.log(Severity.ERROR, "a")
        with log.quietly() as inner:
            log.log(Severity.ERROR, "b")
        raise KeyError
    assert [m.text for m in outer] == ["a", "b"] and [m.text for m in inner] == ["b"]
    log.log(Severity.ERROR, "c")
    assert capsys.readouterr().out == "[E] c\n"
    assert len(outer) == 2


def test_quietly_of_one_thread_neither_silences_nor_catches_another(capsys):
    log = Logger()
    entered, logged = threading.Event(), threading.Event()

    def other() -> None:
        entered.wait(10)
        log.log(Severity.ERROR, "from the other thread")
        logged.set()

    thread = threading.Thread(target=other)
    thread.start()
    with log.quietly() as fresh:
        entered.set()
        assert logged.wait(10)
    thread.join()
    assert fresh == []
    assert capsys.readouterr().out == "[E] from the other thread\n"


def test_overlapping_quiet_blocks_of_two_threads_do_not_silence_the_logger_for_ever(capsys):
    log = Logger()
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with log.quietly():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with log.quietly():
            second_in.set()
            first_out.wait(10)

    threads = [threading.Thread(target=f) for f in (first, second)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    log.log(Severity.ERROR, "still here")
    assert capsys.readouterr().out == "[E] still here\n"


def test_many_threads_lose_no_message():
    log = Logger(None)
    threads = [threading.Thread(target=lambda: [log.log(Severity.INFO, "x") for _ in range(500)]) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(log.messages) == 4000


def test_memory_is_bounded_and_the_newest_are_kept():
    log = Logger(None)
    for i in range(25_000):
        log.log(Severity.VERBOSE, str(i))
    assert len(log.messages) < 25_000
    assert log.messages[-1].text == "24999"


def test_tensorrt_takes_it_and_calls_it():
    log = Logger(None)
    network = trt.Builder(log).create_network()
    assert network.get_input(99) is None
    assert len(log.errors) == 1
