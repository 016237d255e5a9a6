"""Checks for the exercises of lesson 2."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import onnx.parser
import torch

from ...engine import Profile
from ...execution import set_input_shapes
from ...lanes import device, trt
from .profiles import wrong_profile
from .verdicts import build_engine, never_raises, not_yet, solved, untouched

_IDS = """
    <ir_version: 10, opset_import: ["": 20]>
    double (int64[batch, sequence] ids) => (int64[batch, sequence] twice) { twice = Add(ids, ids) }
"""


@never_raises
def check_wider(profile: object) -> None:
    """Lesson 2, exercise 1: accepts 1 to 32 sentences of 4 to 128 tokens, tuned for 8 of 64."""
    if untouched(profile):
        return
    wanted = {(4, 6): True, (1, 4): True, (32, 128): True, (33, 64): False, (8, 129): False, (8, 3): False}
    wanted[0, 64] = False
    model = onnx.parser.parse_model(_IDS).SerializeToString()
    if problem := wrong_profile(model, "ids", profile, wanted, (8, 64)):
        return not_yet(problem)
    return solved("One number less, and short batches fit.")


_TWO_INPUTS = """
    <ir_version: 10, opset_import: ["": 20]>
    two (float[rows, columns] table, float[count] list) => (float[rows, columns] a, float[count] b) {
        a = Neg(table)
        b = Neg(list)
    }
"""


@cache
def _two_inputs() -> trt.ICudaEngine:
    """Three profiles: the first that fits is not always the tightest, and one input alone does not decide."""
    profiles = [
        Profile(table=((1, 4), (2, 8), (32, 64)), list=((2,), (2,), (100,))),
        Profile(table=((1, 4), (2, 8), (32, 64)), list=((1,), (2,), (4,))),
        Profile(table=((1, 4), (2, 8), (8, 16)), list=((1,), (2,), (4,))),
    ]
    return build_engine(_TWO_INPUTS, profiles)


_CHOICES = [((2, 8), (3,), 2), ((2, 8), (50,), 0), ((20, 8), (3,), 1), ((40, 8), (3,), -1), ((2, 2), (3,), -1)]


@never_raises
def check_choose_profile(choose_profile: Callable) -> None:
    """Lesson 2, exercise 4: the tightest profile that accepts all inputs, compared with choices made by hand."""
    engine = _two_inputs()
    for table, count, expected in _CHOICES:
        shapes = {"table": table, "list": count}
        try:
            got = choose_profile(engine, shapes)
        except Exception as error:
            return not_yet(f"For {shapes} your function raised {type(error).__name__}: {error}")
        if untouched(got):
            return None
        if isinstance(got, bool) or not isinstance(got, int):
            return not_yet(f"For {shapes}: expected an index, got {type(got).__name__}.")
        if got != expected:
            why = _why_profile(engine, shapes, got, expected)
            return not_yet(f"For {shapes}: expected {expected}, got {got}. {why}")
    return solved("You know which profile to switch to, and when there is none.")


def _why_profile(engine: trt.ICudaEngine, shapes: dict[str, tuple[int, ...]], got: int, expected: int) -> str:
    """What is wrong with a choice: it does not exist, it does not fit, or another one is tighter."""
    if got == -1:
        return f"Profile {expected} accepts them all."
    if not 0 <= got < engine.num_optimization_profiles:
        return f"The engine has {engine.num_optimization_profiles} profiles, numbered from 0."
    for name, shape in shapes.items():
        low, _, high = (tuple(three) for three in engine.get_tensor_profile_shape(name, got))
        if not all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True)):
            return f"Profile {got} accepts {low} to {high} for '{name}', not {shape}."
    return f"Profile {got} fits, but profile {expected} has fewer elements at max."


# The order is neither alphabetical nor that of the dictionary, and two swapped inputs change the result.
_SUBTRACT = """
    <ir_version: 10, opset_import: ["": 20]>
    subtract (float[n] minuend, float[n] amount) => (float[n] rest, float[n] opposite) {
        rest = Sub(minuend, amount)
        opposite = Neg(rest)
    }
"""


@cache
def _subtract() -> trt.ICudaEngine:
    return build_engine(_SUBTRACT, [Profile.same(("minuend", "amount"), (4,), (4,), (8,))])


@never_raises
def check_addresses(addresses: Callable) -> None:
    """Lesson 2, exercise 2: addresses in the engine's order, compared with the order of the ONNX text; then run."""
    engine = _subtract()
    context = engine.create_execution_context()
    values = {"rest": 0.0, "amount": 2.0, "opposite": 0.0, "minuend": 5.0}
    tensors = {name: torch.full((4,), value).to(device) for name, value in values.items()}
    try:
        got = addresses(engine, tensors)
    except Exception as error:
        return not_yet(f"Your function raised {type(error).__name__}: {error}")
    if untouched(got):
        return None
    problem = _wrong_place(got, tensors, ["minuend", "amount", "rest", "opposite"])
    if problem:
        return not_yet(problem)
    set_input_shapes(context, {"minuend": (4,), "amount": (4,)})
    if not context.execute_v2(got) or tensors["rest"].tolist() != [3.0] * 4:
        return not_yet(f"'rest' should be 3.0 four times, it is {tensors['rest'].tolist()}.")
    return solved("5 - 2 is 3, whatever the order of the dictionary.")


def _wrong_place(got: object, tensors: dict[str, torch.Tensor], order: list[str]) -> str:
    """The first place in a list of addresses that holds the wrong one; empty if none does."""
    if not isinstance(got, list | tuple):
        return f"Expected a list of addresses, got {type(got).__name__}."
    owners = {tensor.data_ptr(): name for name, tensor in tensors.items()}
    for place, value in enumerate(got):
        if not isinstance(value, int):
            return f"Place {place} holds {type(value).__name__}; an address is an integer, tensor.data_ptr()."
    found = [owners.get(value, "an unknown address") for value in got]
    if len(found) != len(order):
        return f"Expected {len(order)} addresses, one for each I/O tensor, got {len(found)}: {', '.join(found)}."
    for place, (have, want) in enumerate(zip(found, order, strict=True)):
        if have != want:
            return f"Place {place}: expected the address of '{want}', got '{have}'. The engine decides the order."
    return ""


@never_raises
def check_binding_index(binding_index: Callable) -> None:
    """Lesson 2, exercise 3: the index of a TensorRT 8 name, compared with a table counted up by hand."""
    tensors, table = ["ids", "mask", "types", "logits"], {}
    for profile in range(12):
        for name in tensors:
            table[name if profile == 0 else f"{name} [profile {profile}]"] = len(table)
    table |= {"words": -1, "words [profile 2]": -1}
    for name, expected in table.items():
        try:
            got = binding_index(list(tensors), name)
        except Exception as error:
            return not_yet(f"For {name!r} your function raised {type(error).__name__}: {error}")
        if untouched(got):
            return None
        if got != expected:
            why = "There is no such tensor." if expected == -1 else f"Each profile has {len(tensors)} indices."
            return not_yet(f"For {name!r} among {tensors}: expected {expected}, got {got!r}. {why}")
    return solved("You can read indices that TensorRT no longer writes.")
