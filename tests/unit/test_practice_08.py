"""The checks of lesson 8's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import pytest

from trt_helpers.course import practice
from trt_helpers.decoding.model import Candidate
from trt_helpers.decoding.sentences import Filled


def said(capsys) -> str:
    return capsys.readouterr().out


def hours(rows, rate, workers, start_up_s):
    return (start_up_s + rows / (rate * workers)) / 3600


def test_the_hours_are_accepted(capsys):
    practice.check_hours(hours)
    assert said(capsys).startswith("Right. Starting is paid once")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda *job: None, "Not solved yet"),
        (lambda *job: hours(*job) * 3600, "Those are seconds."),
        (lambda *job: hours(*job) * 60, "Those are minutes."),
        (lambda *job: int(hours(*job)), "Do not round."),
        (lambda *job: round(hours(*job), 2), "Do not round."),
        (lambda *job: float("nan"), "got nan."),
        (
            lambda rows, rate, workers, start: start + rows / (rate * workers) / 3600,
            "The start-up is still in seconds: divide the whole sum by 3600.",
        ),
        (lambda rows, rate, workers, start: hours(rows, rate, workers, 0), "The start-up is missing."),
        (lambda rows, rate, workers, start: hours(rows, rate, 1, start), "the workers share the rows"),
        (lambda rows, rate, workers, start: hours(rows, rate, workers, start * workers), "The start-up comes once"),
        (lambda *job: f"{hours(*job)} h", "Expected hours as a number, got str."),
        (lambda rows: rows, "Your function raised TypeError"),
    ],
)
def test_other_hours_are_told_why(capsys, wrong, words):
    practice.check_hours(wrong)
    out = said(capsys)
    assert words in out and not out.startswith("Right")


class Careful:
    def __init__(self, make_decoder):
        self.decoder = make_decoder()

    def __call__(self, batch):
        results = self.decoder(list(batch["text"]), top_k=1)
        words = [result.candidates[0][0].word if result.candidates else "" for result in results]
        return {"id": batch["id"], "word": words, "error": [result.problem for result in results]}


class MakesOneForEachBatch(Careful):
    def __init__(self, make_decoder):
        self.make = make_decoder

    def __call__(self, batch):
        self.decoder = self.make()
        return super().__call__(batch)


class LosesBadRows(Careful):
    def __call__(self, batch):
        answer = super().__call__(batch)
        good = [i for i, error in enumerate(answer["error"]) if not error]
        return {column: [values[i] for i in good] for column, values in answer.items()}


class Stumbles(Careful):
    def __call__(self, batch):
        return {"word": [result.candidates[0][0].word for result in self.decoder(batch["text"])]}


class Sorts(Careful):
    def __call__(self, batch):
        answer = super().__call__(batch)
        return {**answer, "id": sorted(answer["id"])}


class WithoutErrors(Careful):
    def __call__(self, batch):
        answer = super().__call__(batch)
        return {"id": answer["id"], "word": answer["word"]}


class OneByOne(Careful):
    def __call__(self, batch):
        results = [self.decoder(text, top_k=1)[0] if isinstance(text, str) else None for text in batch["text"]]
        words = [result.candidates[0][0].word if result and result.candidates else "" for result in results]
        return {"id": batch["id"], "word": words, "error": [r.problem if r else "it has no [MASK]" for r in results]}


class ForgetsToCall(Careful):
    def __init__(self, make_decoder):
        self.decoder = make_decoder


class BringsItsOwn(Careful):
    def __init__(self, make_decoder):
        self.decoder = lambda texts, top_k: [Filled(str(text), [[Candidate(".", 1.0)]]) for text in texts]


class NoneForBad(Careful):
    def __call__(self, batch):
        answer = super().__call__(batch)
        return {**answer, "word": [word or None for word in answer["word"]]}


@pytest.mark.parametrize("right", [Careful, OneByOne])
def test_a_careful_worker_is_accepted(capsys, right):
    practice.check_careful(right)
    assert said(capsys) == "Right. One decoder for each process, and no row is lost.\n"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (..., "Not solved yet"),
        (MakesOneForEachBatch, "The decoder was made 4 times for 4 batches: make it in __init__, once."),
        (ForgetsToCall, "Your worker never called the function that it got"),
        (BringsItsOwn, "Your worker never called the function that it got"),
        (LosesBadRows, "id has 0 rows, expected 1: a bad row keeps its place."),
        (Stumbles, "got word."),
        (Sorts, "id is [1, 3], expected [3, 1]."),
        (WithoutErrors, "expected the columns id, word, error; got id, word."),
        (NoneForBad, "word is [None], expected ['']."),
        (type("Empty", (), {}), "The check could not make sense of your answer. TypeError"),
    ],
)
def test_other_workers_are_told_why(capsys, wrong, words):
    practice.check_careful(wrong)
    out = said(capsys)
    assert words in out and not out.startswith("Right")
