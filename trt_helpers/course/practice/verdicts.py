"""What the checks of all lessons share: how an answer is asked for, compared and judged.

A check reads from top to bottom: the first thing that is wrong ends it with an exception, which `never_raises` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, wraps

import onnx.parser
import torch

from ...building.plan import Profile, build_plan
from ...engine import load_engine
from ...lanes import trt


class NotYet(Exception):
    """Ends a check: says which tensor is wrong, what was expected, what came, and which rule says so."""


class Untouched(Exception):
    """Ends a check: the stub was left as it was. Says what to do, kindly."""


def never_raises(check: Callable[..., None]) -> Callable[..., None]:
    """Print how a check ended, also where it did not foresee it: an unsolved exercise must not stop the notebook."""

    @wraps(check)
    def careful(*arguments: object, **named: object) -> None:
        try:
            check(*arguments, **named)
        except NotYet as verdict:
            print(f"Not yet. {verdict}")
        except Untouched as verdict:
            print(f"Not solved yet: {verdict}")
        except Exception as error:
            print(f"Not yet. The check could not make sense of your answer. {type(error).__name__}: {error}")

    return careful


def solved(text: str) -> None:
    """Print that the exercise is solved, and in `text` what the learner now can do."""
    print(f"Right. {text}")


def touched(value: object) -> object:
    """The value, unless it is what a stub is or returns."""
    if value is ... or value is None:
        raise Untouched(
            "replace the ... and run this cell again. (A function that returns nothing looks like this too.)"
        )
    return value


def attempt(function: Callable, *arguments: object, who: str = "Your function") -> object:
    """What the learner's function returns; where it raises, the verdict says of `who` what was raised."""
    try:
        return function(*arguments)
    except Exception as error:
        raise NotYet(f"{who} raised {type(error).__name__}: {error}") from error


def answer(function: Callable, *arguments: object, who: str = "Your function") -> object:
    """What the learner's function returns, unless it raises or is still a stub."""
    return touched(attempt(function, *arguments, who=who))


def onnx_bytes(text: str) -> bytes:
    """A graph in ONNX's text form, without its first line, as the bytes of a model."""
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> {text}').SerializeToString()


def engine_of(text: str, *profiles: Profile) -> Callable[[], trt.ICudaEngine]:
    """A function that gives the engine of a graph in ONNX's text form. It is built at the first call.

    So an exercise meets an engine that no lesson has shown, and importing the checks builds nothing.
    """
    return cache(lambda: load_engine(build_plan(onnx_bytes(text), profiles, progress=False)))


def expect_keys(got: object, names: Iterable[str], what: str = "outputs") -> None:
    """Pass only a dictionary that has just these keys."""
    if not isinstance(got, dict) or set(got) != set(names):
        kind = f"the keys {', '.join(map(str, got))}" if isinstance(got, dict) else type(got).__name__
        raise NotYet(f"Expected a dictionary with the {what} {', '.join(names)}, got {kind}.")


def expect_equal(name: str, got: object, expected: torch.Tensor, where: str = "") -> None:
    """Pass only a tensor that is the expected one; `where` stands before what is wrong with it."""
    if problem := _difference(name, got, expected):
        raise NotYet(where + problem)


def _difference(name: str, got: object, expected: torch.Tensor) -> str:
    """In what a tensor differs from the expected one; empty if in nothing."""
    if not isinstance(got, torch.Tensor):
        return f"'{name}' should be a tensor, it is {type(got).__name__}."
    if got.shape != expected.shape:
        found = f"'{name}' has shape {tuple(got.shape)}, expected {tuple(expected.shape)}."
        return f"{found} Ask the context for it, after the input's shape is set."
    if got.dtype != expected.dtype:
        return f"'{name}' is {got.dtype}, expected {expected.dtype}. The engine knows: get_tensor_dtype."
    if got.device != expected.device:
        return f"'{name}' is on {got.device}, expected {expected.device}: leave it where the engine wrote it."
    if not torch.equal(got, expected):
        doubt = "Is the work done when you read it, and did every call return True?"
        return f"'{name}' has the right shape and wrong values. {doubt}"
    return ""
