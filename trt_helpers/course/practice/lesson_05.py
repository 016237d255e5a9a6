"""Checks for the exercises of lesson 5."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ...binding import set_input_shapes
from ...building.plan import Profile
from ...decoding.model import MaskedLM
from ...lanes import trt
from ...tensors import input_names
from .verdicts import NotYet, answer, engine_of, never_raises, solved


@never_raises
def check_logits_bytes(logits_bytes: Callable[[int, int], int], context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 1: the bytes of ``logits``, compared with what the context itself says."""
    for asked in [(1, 4), (3, 24), (8, 128)]:
        got = answer(logits_bytes, *asked, who=f"For {asked} your function")
        set_input_shapes(context, dict.fromkeys(input_names(context.engine), asked))
        shape = tuple(context.get_tensor_shape("logits"))
        elements = math.prod(shape)
        if got == elements:
            raise NotYet(f"logits: {got:,} is the number of elements; each has four bytes.")
        if got != 4 * elements:
            shown = f"{got:,}" if isinstance(got, int) else repr(got)
            raise NotYet(f"logits: for shape {shape} expected {4 * elements:,} bytes, got {shown}.")
    solved("You know what to allocate before you ask.")


@never_raises
def check_complete(complete: Callable, lm: MaskedLM, context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 2: every mask filled with its best word, compared with PyTorch."""
    for sentence in ["Paris is the [MASK] of France.", "She opened the [MASK] and went [MASK].", "No mask at all."]:
        got = answer(complete, context, sentence, who=f"For {sentence!r} your function")
        expected = _completed_by_pytorch(lm, sentence)
        if not isinstance(got, str):
            raise NotYet(f"Expected the sentence as text, got {type(got).__name__}.")
        if "[MASK]" in got:
            raise NotYet(f"{got!r} still has a [MASK]: a sentence may have several.")
        if got != expected:
            doubt = "Is it the mask's position, and each mask's own word?"
            raise NotYet(f"For {sentence!r} PyTorch says {expected!r}, you say {got!r}. {doubt}")
    solved("Every mask has its word, also two in one sentence.")


def _completed_by_pytorch(lm: MaskedLM, sentence: str) -> str:
    encoded = lm.tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        best = lm.model(**encoded).logits[0].argmax(dim=-1)
    for position in (encoded["input_ids"][0] == lm.tokenizer.mask_token_id).nonzero().flatten():
        sentence = sentence.replace("[MASK]", lm.tokenizer.convert_ids_to_tokens(best[position].item()), 1)
    return sentence


# Its padding id counts a hundred: whoever forgets the mask is found out. The mask is float, the ids are int32.
_TABLE = [100.0, 1.0, 2.0, 4.0, 8.0]
_rate = engine_of(
    """
    rate (int32[batch, length] tokens, float[batch, length] weights) => (float[batch] score)
    <float[5] table = {100.0, 1.0, 2.0, 4.0, 8.0}, int64[1] along = {1}> {
        values = Gather(table, tokens)
        weighted = Mul(values, weights)
        score = ReduceSum <keepdims = 0> (weighted, along)
    }
    """,
    Profile.same(("tokens", "weights"), (1, 2), (4, 8), (4, 8)),
)
_TEXTS = [[1, 2], [3, 3, 4], [4, 4, 4, 4, 1], [2, 2], [1, 1, 1], [4, 3, 2, 1, 1, 1, 1, 1], [3, 1], [2, 1, 4], [1, 4]]


@never_raises
def check_rate(rate: Callable[[trt.ICudaEngine, list[list[int]]], list[float]]) -> None:
    """Lesson 5, exercise 3: every text's score, in batches of at most four, compared with sums made by Python."""
    got = answer(rate, _rate(), [list(text) for text in _TEXTS])
    if not isinstance(got, list | tuple) or len(got) != len(_TEXTS):
        what = f"{len(got)} of them" if isinstance(got, list | tuple) else type(got).__name__
        raise NotYet(f"Expected a list of {len(_TEXTS)} scores, one for each text, got {what}.")
    for text, score in zip(_TEXTS, map(float, got), strict=True):
        expected = _score(text)
        if score != expected:
            raise NotYet(f"For {text} expected the score {expected}, got {score}. {_why_score(score, expected)}")
    solved("Another model, other names, and your loop feeds it.")


def _score(text: list[int]) -> float:
    return sum(_TABLE[token] for token in text)


def _why_score(score: float, expected: float) -> str:
    """What probably went wrong: the padding was counted, or the texts changed places."""
    if score > expected and (score - expected) % _TABLE[0] == 0:
        return "The padding was counted: 'weights' is 1 for a token and 0 for padding."
    if score in map(_score, _TEXTS):
        return "That is another text's score: keep their order."
    return "Is 'weights' 1 for every token of the text?"
