"""The checks of lesson 5's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import pytest
import torch

import trt_helpers as th
from trt_helpers.course import practice

from .conftest import parse

WORDS = 7


def said(capsys) -> str:
    """What a check printed, without TensorRT's log lines."""
    return "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("["))


@pytest.fixture(scope="module")
def scorer():
    """A context that gives seven numbers for each of up to 8 x 128 positions."""
    model = parse(
        "scorer (int64[batch, sequence] input_ids) => (float[batch, sequence, 7] logits)"
        " <int64[1] last = {2}, float[1, 7] weights = {1., 1., 1., 1., 1., 1., 1.}> {"
        " numbers = Cast <to = 1> (input_ids)  column = Unsqueeze(numbers, last)  logits = MatMul(column, weights) }"
    )
    engine = th.load_engine(th.build_plan(model, th.Profile(input_ids=((1, 4), (4, 16), (8, 128)))))
    return engine.create_execution_context()


def test_the_bytes_are_accepted(capsys, scorer):
    practice.check_logits_bytes(lambda batch, sequence: batch * sequence * WORDS * 4, scorer)
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda batch, sequence: ..., "Not solved yet"),
        (
            lambda batch, sequence: batch * sequence * WORDS,
            "logits: 28 is the number of elements; each has four bytes.",
        ),
        (lambda batch, sequence: sequence * WORDS * 4, "for shape (3, 24, 7) expected 2,016 bytes, got 672"),
        (lambda batch, sequence: batch * 128 * WORDS * 4, "for shape (1, 4, 7) expected 112 bytes, got 3,584"),
        (lambda batch, sequence: batch * sequence * WORDS * 8, "expected 112 bytes, got 224"),
        (lambda batch: batch, "For (1, 4) your function raised TypeError"),
    ],
)
def test_other_bytes_are_told_why(capsys, scorer, wrong, words):
    practice.check_logits_bytes(wrong, scorer)
    assert words in said(capsys)


@pytest.fixture
def bert(tiny_bert):
    return tiny_bert.lm, tiny_bert.engine.create_execution_context()


def completer(lm, offset=0, only_first=False):
    def complete(context, sentence):
        inputs = th.tokenize(lm, sentence)
        logits = th.infer(context, {name: tensor.to(th.device) for name, tensor in inputs.items()})["logits"]
        places = th.find_masks(lm, inputs["input_ids"])
        for row, position in places[:1] if only_first else places:
            word = th.decode_top_k(lm, logits[row, position + offset], k=1)[0].word
            sentence = sentence.replace("[MASK]", word, 1)
        return sentence

    return complete


def test_every_mask_filled_is_accepted(capsys, bert):
    lm, context = bert
    practice.check_complete(completer(lm), lm, context)
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda lm: lambda context, sentence: None, "Not solved yet"),
        (lambda lm: completer(lm, offset=-1), "PyTorch says"),
        (lambda lm: completer(lm, only_first=True), "still has a [MASK]: a sentence may have several"),
        (lambda lm: lambda context, sentence: sentence, "still has a [MASK]"),
        (lambda lm: lambda context, sentence: [sentence], "Expected the sentence as text, got list"),
        (lambda lm: lambda context, sentence: sentence.fill(), "your function raised AttributeError"),
    ],
)
def test_other_completions_are_told_why(capsys, bert, make, words):
    lm, context = bert
    practice.check_complete(make(lm), lm, context)
    assert words in said(capsys)


def rate(engine, texts, most=4, mask=1, dtype=None, length=None, order=None):
    context, scores = engine.create_execution_context(), []
    for start in range(0, len(texts), most):
        batch = sorted(texts[start : start + most], key=order) if order else texts[start : start + most]
        longest = length or max(map(len, batch))
        rows = [text + [0] * (longest - len(text)) for text in batch]
        weights = [[1] * len(text) + [1 - mask] * (longest - len(text)) for text in batch]
        wanted = {name: dtype or th.to_torch_dtype(engine.get_tensor_dtype(name)) for name in ("tokens", "weights")}
        inputs = {"tokens": torch.tensor(rows), "weights": torch.tensor(weights)}
        inputs = {name: tensor.to(wanted[name]).to(th.device) for name, tensor in inputs.items()}
        scores += th.infer(context, inputs)["score"].tolist()
    return scores


@pytest.mark.parametrize("right", [rate, lambda e, t: rate(e, t, most=1), lambda e, t: rate(e, t, length=8)])
def test_rated_texts_are_accepted(capsys, right):
    practice.check_rate(right)
    assert said(capsys) == "Right. Another model, other names, and your loop feeds it."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda engine, texts: ..., "Not solved yet"),
        (lambda engine, texts: rate(engine, texts, mask=0), "The padding was counted: 'weights' is 1 for a token"),
        (lambda engine, texts: rate(engine, texts, most=9), "tokens: (9, 8) is outside profile 0"),
        (lambda engine, texts: rate(engine, texts, dtype=torch.int64), "tokens: the tensor is torch.int64"),
        (
            lambda engine, texts: rate(engine, texts[:4]),
            "Expected a list of 9 scores, one for each text, got 4",
        ),
        (lambda engine, texts: rate(engine, texts, order=len), "That is another text's score: keep their order."),
        (lambda engine, texts: [0.0] * len(texts), "expected the score 3.0, got 0.0. Is 'weights' 1 for every token"),
        (lambda engine, texts: torch.tensor(rate(engine, texts)), "one for each text, got Tensor"),
        (lambda engine, texts: rate(engine, [text[:0] for text in texts]), "outside profile 0"),
    ],
)
def test_other_ratings_are_told_why(capsys, wrong, words):
    practice.check_rate(wrong)
    assert words in said(capsys)
