"""What the checks of all lessons share: how a verdict is worded, and how two tensors are compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import onnx.parser
import torch

from ...engine import Profile, build_plan, load_engine
from ...lanes import trt


def never_raises(check: Callable[..., None]) -> Callable[..., None]:
    """Turn what a check did not foresee into a verdict: an unsolved exercise must not stop the notebook."""

    @wraps(check)
    def careful(*arguments: object, **named: object) -> None:
        try:
            check(*arguments, **named)
        except Exception as error:
            not_yet(f"The check could not make sense of your answer. {type(error).__name__}: {error}")

    return careful


def solved(text: str) -> None:
    """Print that the exercise is solved, and in `text` what the learner now can do."""
    print(f"Right. {text}")


def not_yet(text: str) -> None:
    """Print what is wrong: which tensor, expected, got, and which rule says so."""
    print(f"Not yet. {text}")


def untouched(value: object) -> bool:
    """Whether a stub was left as it was; says so, kindly."""
    if value is ... or value is None:
        what = "replace the ... and run this cell again. (A function that returns nothing looks like this too.)"
        print(f"Not solved yet: {what}")
        return True
    return False


def build_engine(onnx_text: str, profiles: list[Profile]) -> trt.ICudaEngine:
    """Build and load a model written in ONNX's text form, so that an exercise meets an engine no lesson has shown."""
    return load_engine(build_plan(onnx.parser.parse_model(onnx_text), profiles, progress=False))


def what_differs(name: str, got: object, expected: torch.Tensor) -> str:
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
    if got.device != expected.device:
        return f"'{name}' is on {got.device}, expected {expected.device}: leave it where the engine wrote it."
    if not torch.equal(got, expected):
        return (
            f"'{name}' has the right shape and wrong values. Is the work done when you read it, "
            "and did every call return True?"
        )
    return ""
