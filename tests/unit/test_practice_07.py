"""The checks of lesson 7's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import time

import pytest

from trt_helpers.course import practice
from trt_helpers.course.practice import lesson_07


def said(capsys) -> str:
    """What a check printed, without TensorRT's log lines."""
    return "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("["))


# ---- operations ------------------------------------------------------------------------------------------------


def test_the_count_is_accepted(capsys):
    practice.check_operations(lambda layers, words, tokens, asked: 2 * (layers * tokens + words * asked))
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda layers, vocabulary, tokens, asked: ..., "Not solved yet"),
        (lambda layers, vocabulary, tokens, asked: layers * tokens + vocabulary * asked, "two operations, a multip"),
        (lambda layers, vocabulary, tokens, asked: 2 * tokens * (layers + vocabulary), "Only the tokens asked about"),
        (lambda layers, vocabulary, tokens, asked: 2 * layers * tokens, "expected 74, got 60. Two operations for"),
        (lambda layers, vocabulary, tokens, asked: 1 / 0, "your function raised ZeroDivisionError"),
    ],
)
def test_other_counts_are_told_why(capsys, wrong, words):
    practice.check_operations(wrong)
    assert words in said(capsys)


# ---- time_ms ---------------------------------------------------------------------------------------------------


def clock(context, stream, before=True, after=True, factor=1000, execute=True):
    if before:
        stream.synchronize()
    start = time.perf_counter()
    if execute:
        assert context.execute_async_v3(stream.handle)
    if after:
        stream.synchronize()
    return factor * (time.perf_counter() - start)


def test_an_honest_clock_is_accepted(capsys):
    practice.check_time_ms(clock)
    assert said(capsys) == "Right. Your clock waits for the work, and for nothing else."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda context, stream: ..., "Not solved yet"),
        (lambda context, stream: clock(context, stream, after=False), "Was it done when the clock stopped?"),
        (lambda context, stream: clock(context, stream, before=False), "was on the stream before was counted, too"),
        (lambda context, stream: clock(context, stream, factor=1), "And are these milliseconds?"),
        (lambda context, stream: clock(context, stream, execute=False), "'y' was not written"),
        (lambda context, stream: str(clock(context, stream)), "Expected the milliseconds as a number, got str"),
        (lambda context, stream: 1 / 0, "Your function raised ZeroDivisionError"),
    ],
)
def test_other_clocks_are_told_why(capsys, wrong, words):
    practice.check_time_ms(wrong)
    assert words in said(capsys)


# ---- make_batches ----------------------------------------------------------------------------------------------


def batches(lengths, most, order=sorted):
    made = [[]]
    for index in order(range(len(lengths)), key=lengths.__getitem__):
        if (len(made[-1]) + 1) * max([lengths[index], *(lengths[i] for i in made[-1])]) > most:
            made.append([])
        made[-1].append(index)
    return made


def longest_first(indices, key):
    return sorted(indices, key=key, reverse=True)


@pytest.mark.parametrize("order", [sorted, longest_first])
def test_sorted_batches_are_accepted(capsys, order):
    practice.check_make_batches(lambda lengths, most: batches(lengths, most, order))
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda lengths, most: None, "Not solved yet"),
        (lambda lengths, most: batches(lengths, most, lambda indices, key: indices), "put texts of similar length"),
        (lambda lengths, most: batches(lengths, most)[:-1], "Each of the indices 0 to 11 should come once"),
        (lambda lengths, most: batches(lengths, 3 * most), "at most 100 are allowed"),
        (lambda lengths, most: [[lengths[i] for i in b] for b in batches(lengths, most)], "should come once"),
        (lambda lengths, most: list(range(12)), "Expected a list of lists of indices"),
        (lambda lengths, most: 1 / 0, "Your function raised ZeroDivisionError"),
    ],
)
def test_other_batches_are_told_why(capsys, wrong, words):
    practice.check_make_batches(wrong)
    assert words in said(capsys)


def test_one_by_one_is_no_padding_and_accepted(capsys):
    """It is as good as it gets in tokens; that it costs calls is the lesson's business, not this count's."""
    practice.check_make_batches(lambda lengths, most: [[i] for i in range(len(lengths))])
    assert said(capsys).startswith("Right.") and lesson_07._fewest() >= sum(lesson_07._LENGTHS)
