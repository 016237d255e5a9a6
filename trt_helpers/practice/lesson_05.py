"""Checks for the exercises of lesson 5."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..backend import trt
from ..execution import set_input_shapes
from ..masked_lm import MaskedLM
from ..tensors import input_names
from .verdicts import not_yet, solved, untouched


def check_logits_bytes(logits_bytes: Callable[[int, int], int], context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 1: the bytes of ``logits``, compared with what the context itself says."""
    for batch, sequence in [(1, 4), (3, 24), (8, 128)]:
        try:
            got = logits_bytes(batch, sequence)
        except Exception as error:
            return not_yet(f"For ({batch}, {sequence}) your function raised {type(error).__name__}: {error}")
        if untouched(got):
            return None
        set_input_shapes(context, dict.fromkeys(input_names(context.engine), (batch, sequence)))
        elements = math.prod(tuple(context.get_tensor_shape("logits")))
        if got == elements:
            return not_yet(f"logits: {got:,} is the number of elements; each has four bytes.")
        if got != 4 * elements:
            shape = tuple(context.get_tensor_shape("logits"))
            shown = f"{got:,}" if isinstance(got, int) else repr(got)
            return not_yet(f"logits: for shape {shape} expected {4 * elements:,} bytes, got {shown}.")
    return solved("You know what to allocate before you ask.")


def check_complete(complete: Callable, lm: MaskedLM, context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 2: every mask filled with its best word, compared with PyTorch."""
    sentences = ["Paris is the [MASK] of France.", "She opened the [MASK] and went [MASK].", "No mask at all."]
    for sentence in sentences:
        try:
            got = complete(context, sentence)
        except Exception as error:
            return not_yet(f"For {sentence!r} your function raised {type(error).__name__}: {error}")
        if untouched(got):
            return None
        expected = _completed_by_pytorch(lm, sentence)
        if not isinstance(got, str):
            return not_yet(f"Expected the sentence as text, got {type(got).__name__}.")
        if "[MASK]" in got:
            return not_yet(f"{got!r} still has a [MASK]: a sentence may have several.")
        if got != expected:
            return not_yet(
                f"For {sentence!r} PyTorch says {expected!r}, you say {got!r}. "
                "Is it the mask's position, and each mask's own word?"
            )
    return solved("Every mask has its word, also two in one sentence.")


def _completed_by_pytorch(lm: MaskedLM, sentence: str) -> str:
    encoded = lm.tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        best = lm.model(**encoded).logits[0].argmax(dim=-1)
    for position in (encoded["input_ids"][0] == lm.tokenizer.mask_token_id).nonzero().flatten():
        sentence = sentence.replace("[MASK]", lm.tokenizer.convert_ids_to_tokens(best[position].item()), 1)
    return sentence
