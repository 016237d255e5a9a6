"""Whole sentences through an engine: many at once, and a bad one does not lose the others. Lesson 5 builds it up."""

from __future__ import annotations

from collections.abc import Sequence

from ..execution import infer
from ..lanes import device, trt
from .answers import Candidate, Filled, no_mask
from .model import MaskedLM, decode_top_k, find_masks, problem_with, tokenize


def fill_in(lm: MaskedLM, context: trt.IExecutionContext, sentences: str | Sequence[str], k: int = 5) -> list[Filled]:
    """The ``k`` likeliest words for every ``[MASK]`` of every sentence, as few batches as the profile allows.

    Returns:
        One ``Filled`` for each sentence, in order. A bad one carries its ``problem``; nothing is raised for it.
    """
    sentences = [sentences] if isinstance(sentences, str) else list(sentences)
    low, _, high = context.engine.get_tensor_profile_shape("input_ids", context.active_optimization_profile)
    problems = [problem_with(lm, s, longest=high[1]) or no_mask(s, lm.tokenizer.mask_token) for s in sentences]
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
