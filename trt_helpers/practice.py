"""Checks for the exercises. Each compares with an independent reference and says what is wrong, and with which tensor.

A check prints and never raises, so that a notebook with unsolved exercises still runs to its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import onnx.parser
import torch

from .backend import device, trt
from .engine import Profile, build_plan, load_engine
from .errors import TensorRTError
from .execution import set_input_shapes
from .log import logger
from .masked_lm import MaskedLM
from .tensors import input_names


def _right(text: str) -> None:
    print(f"Right. {text}")


def _not_yet(text: str) -> None:
    print(f"Not yet. {text}")


def _untouched(value: object) -> bool:
    """Whether a stub was left as it was; says so, kindly."""
    if value is ... or value is None:
        print("Not solved yet: replace the ... and run this cell again. There is no hurry.")
        return True
    return False


# ---- lesson 1 ----------------------------------------------------------------------------------------------


def check_row_profile(doubler: bytes, profile: object) -> None:
    """Lesson 1, exercise 1: accepts 1 to 32 rows of exactly 10 columns, tuned for 8 rows."""
    if _untouched(profile):
        return
    if not isinstance(profile, dict):
        return _not_yet(f"Expected th.Profile(x=(min, opt, max)), got {type(profile).__name__}.")
    try:
        engine = load_engine(build_plan(doubler, Profile(profile)))
    except (TensorRTError, TypeError, ValueError) as error:
        return _not_yet(f"The builder does not take this profile. {error}")
    context = engine.create_execution_context()
    with logger.quietly():
        for shape, wanted in {(1, 10): True, (32, 10): True, (33, 10): False, (0, 10): False, (4, 9): False}.items():
            if context.set_input_shape("x", shape) != wanted:
                verb = "refuses" if wanted else "accepts"
                return _not_yet(f"x: the engine {verb} {shape}; it should {'accept' if wanted else 'refuse'} it.")
        if context.set_input_shape("x", (4, 11)):
            return _not_yet("x: the engine accepts (4, 11); exactly 10 columns were asked for.")
    opt = tuple(engine.get_tensor_profile_shape("x", 0)[1])
    if opt != (8, 10):
        return _not_yet(f"x: the range is right, but opt is {opt}; the likeliest shape is (8, 10).")
    return _right("1 to 32 rows of 10 columns, tuned for 8.")


# Its output has another name, shape and dtype than its input: whoever copied the input's is found out.
_UNSEEN = """
    <ir_version: 10, opset_import: ["": 20]>
    unseen (float[height, width] picture) => (int32[width, height] counted) {
        turned = Transpose <perm = [1, 0]> (picture)
        counted = Cast <to = 6> (turned)
    }
"""


def check_run(run: Callable[[trt.ICudaEngine, torch.Tensor], torch.Tensor]) -> None:
    """Lesson 1, exercise 2: ``run(engine, x)`` works on an engine that it has never seen."""
    model = onnx.parser.parse_model(_UNSEEN)
    engine = load_engine(build_plan(model, Profile(picture=((1, 1), (4, 4), (64, 64)))))
    for shape in [(2, 3), (5, 1), (64, 64)]:
        picture = torch.arange(float(shape[0] * shape[1])).reshape(shape).to(device)
        expected = picture.T.to(torch.int32)
        try:
            counted = run(engine, picture)
        except Exception as error:
            return _not_yet(f"For an input of shape {shape} your function raised {type(error).__name__}: {error}")
        if _untouched(counted):
            return None
        problem = _difference("counted", counted, expected)
        if problem:
            return _not_yet(f"For an input of shape {shape}: {problem}")
    return _right("It runs an engine that it had never seen, in three shapes.")


def _difference(name: str, got: object, expected: torch.Tensor) -> str:
    """In what a tensor differs from the expected one; empty if in nothing."""
    if not isinstance(got, torch.Tensor):
        return f"'{name}' should be a tensor, it is {type(got).__name__}."
    if got.shape != expected.shape:
        return (
            f"'{name}' has shape {tuple(got.shape)}, expected {tuple(expected.shape)}. "
            "Ask the context for it, after the input's shape is set."
        )
    if got.dtype != expected.dtype:
        return f"'{name}' is {got.dtype}, expected {expected.dtype}. The engine knows: get_tensor_dtype."
    if not torch.equal(got, expected):
        return f"'{name}' has the right shape and wrong values. Is the work done when you read it?"
    return ""


# ---- lesson 5 ----------------------------------------------------------------------------------------------


def check_logits_bytes(logits_bytes: Callable[[int, int], int], context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 1: the bytes of ``logits``, compared with what the context itself says."""
    for batch, sequence in [(1, 4), (4, 24), (8, 128)]:
        try:
            got = logits_bytes(batch, sequence)
        except Exception as error:
            return _not_yet(f"For ({batch}, {sequence}) your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        set_input_shapes(context, dict.fromkeys(input_names(context.engine), (batch, sequence)))
        elements = math.prod(tuple(context.get_tensor_shape("logits")))
        if got == elements:
            return _not_yet(f"logits: {got:,} is the number of elements; each has four bytes.")
        if got != 4 * elements:
            shape = tuple(context.get_tensor_shape("logits"))
            return _not_yet(f"logits: for shape {shape} expected {4 * elements:,} bytes, got {got:,}.")
    return _right("You know what to allocate before you ask.")


def check_complete(complete: Callable, lm: MaskedLM, context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 2: every mask filled with its best word, compared with PyTorch."""
    sentences = ["Paris is the [MASK] of France.", "She opened the [MASK] and went [MASK].", "No mask at all."]
    for sentence in sentences:
        try:
            got = complete(context, sentence)
        except Exception as error:
            return _not_yet(f"For {sentence!r} your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        expected = _completed_by_pytorch(lm, sentence)
        if not isinstance(got, str):
            return _not_yet(f"Expected the sentence as text, got {type(got).__name__}.")
        if "[MASK]" in got:
            return _not_yet(f"{got!r} still has a [MASK]: a sentence may have several.")
        if got != expected:
            return _not_yet(f"For {sentence!r} PyTorch says {expected!r}, you say {got!r}. Is it the mask's position?")
    return _right("Every mask has its word, also two in one sentence.")


def _completed_by_pytorch(lm: MaskedLM, sentence: str) -> str:
    encoded = lm.tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        best = lm.model(**encoded).logits[0].argmax(dim=-1)
    for position in (encoded["input_ids"][0] == lm.tokenizer.mask_token_id).nonzero().flatten():
        sentence = sentence.replace("[MASK]", lm.tokenizer.convert_ids_to_tokens(best[position].item()), 1)
    return sentence
