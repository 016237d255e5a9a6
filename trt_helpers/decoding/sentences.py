"""Whole sentences through an engine: many at once, and a bad one does not lose the others. Lesson 5 builds it up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..execution import infer
from ..lanes import device, trt
from .model import Candidate, MaskedLM, decode_top_k, find_masks, no_mask, problem_with, tokenize


class Filled(NamedTuple):
    """What became of one sentence: the candidates for each ``[MASK]``, in order, or the reason why there are none."""

    sentence: str
    candidates: list[list[Candidate]]
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.sentence!r}: {self.problem}"
        words = "; ".join(", ".join(c.word for c in candidates) for candidates in self.candidates)
        return f"{self.sentence} -> {words}"


def _problem_with(lm: MaskedLM, sentence: object, longest: int) -> str:
    """As ``problem_with``, and there has to be a mask."""
    return problem_with(lm, sentence, longest) or no_mask(sentence, lm.tokenizer.mask_token)


def fill_in(lm: MaskedLM, context: trt.IExecutionContext, sentences: str | Sequence[str], k: int = 5) -> list[Filled]:
    """The ``k`` likeliest words for every ``[MASK]`` of every sentence, as few batches as the profile allows.

    Returns:
        One ``Filled`` for each sentence, in order. A bad one carries its ``problem``; nothing is raised for it.
    """
    sentences = [sentences] if isinstance(sentences, str) else list(sentences)
    low, _, high = context.engine.get_tensor_profile_shape("input_ids", context.active_optimization_profile)
    problems = [_problem_with(lm, sentence, longest=high[1]) for sentence in sentences]
    good = [i for i, problem in enumerate(problems) if not problem]
    filled = {}
    for start in range(0, len(good), high[0]):
        chunk = good[start : start + high[0]]
        answers = _fill_batch(lm, context, [sentences[i] for i in chunk], shortest=low[1], k=k)
        filled |= dict(zip(chunk, answers, strict=True))
    return [Filled(s, filled.get(i, []), problems[i]) for i, s in enumerate(sentences)]


def _fill_batch(
    lm: MaskedLM, context: trt.IExecutionContext, sentences: list[str], shortest: int, k: int
) -> list[list[list[Candidate]]]:
    """For each sentence a list of candidates for each of its masks."""
    inputs = tokenize(lm, sentences)
    if inputs["input_ids"].shape[1] < shortest:  # "[MASK]" alone has three tokens
        inputs = tokenize(lm, sentences, padding="max_length", max_length=shortest)
    logits = infer(context, {name: tensor.to(device) for name, tensor in inputs.items()})["logits"]
    answers = [[] for _ in sentences]
    for row, position in find_masks(lm, inputs["input_ids"]):
        answers[row].append(decode_top_k(lm, logits[row, position], k))
    return answers
