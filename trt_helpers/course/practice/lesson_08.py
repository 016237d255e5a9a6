"""Checks for the exercises of lesson 8."""

from __future__ import annotations

import math
from collections.abc import Callable

from ...decoding.model import Candidate
from ...decoding.sentences import Filled
from .verdicts import NotYet, answer, never_raises, solved, touched

# rows, rows a second of one worker, workers, seconds to start: a short job, a long one, a very long one
_JOBS = [(2_000, 100.0, 2, 30.0), (7_200_000, 250.0, 2, 40.0), (1_000_000_000, 300.0, 64, 60.0)]


@never_raises
def check_hours(hours: Callable[[int, float, int, float], float]) -> None:
    """Lesson 8, exercise 1: how long a job takes, start-up included; compared with a clock that only adds."""
    for rows, rate, workers, start_up_s in _JOBS:
        got = answer(hours, rows, rate, workers, start_up_s)
        expected = (start_up_s + rows / rate / workers) / 3600
        if isinstance(got, bool) or not isinstance(got, int | float):
            raise NotYet(f"Expected hours as a number, got {type(got).__name__}.")
        if not abs(got - expected) <= 1e-6 * expected:  # not a number is no answer
            job = f"{rows:,} rows, {workers} workers of {rate:g} rows/s, {start_up_s:g} s to start"
            raise NotYet(f"{job}: expected {expected:.4f} hours, got {got:.4f}. {_why(got, expected, start_up_s)}")
    solved("Starting is paid once, however long the job is.")


def _why(got: float, expected: float, start_up_s: float) -> str:
    """Which of the usual mistakes it was."""
    if got in {int(expected), math.ceil(expected), *(round(expected, digits) for digits in range(5))}:
        return "Do not round."
    work = expected - start_up_s / 3600
    usual = {
        "Those are minutes.": expected * 60,
        "Those are seconds.": expected * 3600,
        "The start-up is still in seconds: divide the whole sum by 3600.": start_up_s + work,
        "The start-up is missing.": work,
    }
    found = [words for words, value in usual.items() if abs(got - value) < 1e-6 * value]
    return found[0] if found else "The start-up comes once; the workers share the rows."


NEVER_MADE = "Your worker never called the function that it got: self.decoder = make_decoder() in __init__."
_BATCHES = [["a [MASK]", "b [MASK] [MASK]"], ["c"], [None, "d [MASK]"], []]
_IDS = [[3, 1], [7], [2, 9], []]


class _Stub:
    """Counts how often it was made; answers every mask with the sentence's first letter."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Callable:
        self.made += 1
        return self.decode

    @staticmethod
    def decode(sentences: str | list[object], top_k: int = 5, **_: object) -> list[Filled]:
        sentences = [sentences] if isinstance(sentences, str) else sentences
        return [_Stub._one(sentence) for sentence in sentences]

    @staticmethod
    def _one(sentence: object) -> Filled:
        if not isinstance(sentence, str) or "[MASK]" not in sentence:
            return Filled(str(sentence), [], "it has no [MASK]")
        return Filled(sentence, [[Candidate(sentence[0], 0.5)] for _ in range(sentence.count("[MASK]"))])


@never_raises
def check_careful(make_class: type) -> None:
    """Lesson 8, exercise 2: a worker that makes one decoder and gives every row back, the bad ones with an error."""
    stub = _Stub()
    worker = touched(make_class)(stub)
    for ids, texts in zip(_IDS, _BATCHES, strict=True):
        try:
            got = answer(worker, {"id": list(ids), "text": list(texts)}, who=f"For the sentences {texts} your worker")
        except NotYet:
            if stub.made:
                raise
            raise NotYet(NEVER_MADE) from None
        if stub.made == 0:
            raise NotYet(NEVER_MADE)
        filled = stub.decode(texts)
        words = [result.candidates[0][0].word if result.candidates else "" for result in filled]
        expected = {"id": ids, "word": words, "error": [result.problem for result in filled]}
        _expect_columns(got, expected, f"For the sentences {texts}: ")
    if stub.made != 1:
        made = f"The decoder was made {stub.made} times for {len(_BATCHES)} batches"
        raise NotYet(f"{made}: make it in __init__, once.")
    solved("One decoder for each process, and no row is lost.")


def _expect_columns(got: object, expected: dict[str, list], where: str) -> None:
    """Pass only a batch with these columns and values."""
    if not isinstance(got, dict) or set(got) != set(expected):
        what = ", ".join(map(str, got)) if isinstance(got, dict) else type(got).__name__
        raise NotYet(f"{where}expected the columns id, word, error; got {what}.")
    for column, values in expected.items():
        found = list(got[column])
        if len(found) != len(values):
            words = f"{column} has {len(found)} rows, expected {len(values)}: a bad row keeps its place."
            raise NotYet(where + words)
        if found != values:
            raise NotYet(f"{where}{column} is {found}, expected {values}.")
