"""Checks for the exercises of lesson 2."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...binding import set_input_shapes
from ...building.plan import Profile
from ...lanes import device, trt
from .profiles import expect_profile
from .verdicts import NotYet, answer, engine_of, never_raises, onnx_bytes, solved, touched

_IDS = "double (int64[batch, sequence] ids) => (int64[batch, sequence] twice) { twice = Add(ids, ids) }"


@never_raises
def check_wider(profile: object) -> None:
    """Lesson 2, exercise 1: accepts 1 to 32 sentences of 4 to 128 tokens, tuned for 8 of 64."""
    wanted = {(4, 6): True, (1, 4): True, (32, 128): True, (33, 64): False, (8, 129): False, (8, 3): False}
    wanted[0, 64] = False
    expect_profile(onnx_bytes(_IDS), "ids", touched(profile), wanted, (8, 64))
    solved("One number less, and short batches fit.")


# Three profiles: the first that fits is not always the tightest, and one input alone does not decide.
_two_inputs = engine_of(
    """
    two (float[rows, columns] table, float[count] list) => (float[rows, columns] a, float[count] b) {
        a = Neg(table)
        b = Neg(list)
    }
    """,
    Profile(table=((1, 4), (2, 8), (32, 64)), list=((2,), (2,), (100,))),
    Profile(table=((1, 4), (2, 8), (32, 64)), list=((1,), (2,), (4,))),
    Profile(table=((1, 4), (2, 8), (8, 16)), list=((1,), (2,), (4,))),
)
_CHOICES = [((2, 8), (3,), 2), ((2, 8), (50,), 0), ((20, 8), (3,), 1), ((40, 8), (3,), -1), ((2, 2), (3,), -1)]


@never_raises
def check_choose_profile(choose_profile: Callable) -> None:
    """Lesson 2, exercise 4: the tightest profile that accepts all inputs, compared with choices made by hand."""
    engine = _two_inputs()
    for table, count, expected in _CHOICES:
        shapes = {"table": table, "list": count}
        got = answer(choose_profile, engine, shapes, who=f"For {shapes} your function")
        if isinstance(got, bool) or not isinstance(got, int):
            raise NotYet(f"For {shapes}: expected an index, got {type(got).__name__}.")
        if got != expected:
            why = _why_profile(engine, shapes, got, expected)
            raise NotYet(f"For {shapes}: expected {expected}, got {got}. {why}")
    solved("You know which profile to switch to, and when there is none.")


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
_subtract = engine_of(
    """
    subtract (float[n] minuend, float[n] amount) => (float[n] rest, float[n] opposite) {
        rest = Sub(minuend, amount)
        opposite = Neg(rest)
    }
    """,
    Profile.same(("minuend", "amount"), (4,), (4,), (8,)),
)


@never_raises
def check_addresses(addresses: Callable) -> None:
    """Lesson 2, exercise 2: addresses in the engine's order, compared with the order of the ONNX text; then run."""
    engine = _subtract()
    context = engine.create_execution_context()
    values = {"rest": 0.0, "amount": 2.0, "opposite": 0.0, "minuend": 5.0}
    tensors = {name: torch.full((4,), value).to(device) for name, value in values.items()}
    got = answer(addresses, engine, tensors)
    _expect_places(got, tensors, ["minuend", "amount", "rest", "opposite"])
    set_input_shapes(context, {"minuend": (4,), "amount": (4,)})
    if not context.execute_v2(got) or tensors["rest"].tolist() != [3.0] * 4:
        raise NotYet(f"'rest' should be 3.0 four times, it is {tensors['rest'].tolist()}.")
    solved("5 - 2 is 3, whatever the order of the dictionary.")


def _expect_places(got: object, tensors: dict[str, torch.Tensor], order: list[str]) -> None:
    """Pass only a list of addresses in which each place holds the right one."""
    if not isinstance(got, list | tuple):
        raise NotYet(f"Expected a list of addresses, got {type(got).__name__}.")
    owners = {tensor.data_ptr(): name for name, tensor in tensors.items()}
    for place, value in enumerate(got):
        if not isinstance(value, int):
            raise NotYet(f"Place {place} holds {type(value).__name__}; an address is an integer, tensor.data_ptr().")
    found = [owners.get(value, "an unknown address") for value in got]
    if len(found) != len(order):
        raise NotYet(f"Expected {len(order)} addresses, one for each I/O tensor, got {len(found)}: {', '.join(found)}.")
    for place, (have, want) in enumerate(zip(found, order, strict=True)):
        if have != want:
            raise NotYet(
                f"Place {place}: expected the address of '{want}', got '{have}'. The engine decides the order."
            )


@never_raises
def check_binding_index(binding_index: Callable) -> None:
    """Lesson 2, exercise 3: the index of a TensorRT 8 name, compared with a table counted up by hand."""
    tensors, table = ["ids", "mask", "types", "logits"], {}
    for profile in range(12):
        for name in tensors:
            table[name if profile == 0 else f"{name} [profile {profile}]"] = len(table)
    table |= {"words": -1, "words [profile 2]": -1}
    for name, expected in table.items():
        got = answer(binding_index, list(tensors), name, who=f"For {name!r} your function")
        if got != expected:
            why = "There is no such tensor." if expected == -1 else f"Each profile has {len(tensors)} indices."
            raise NotYet(f"For {name!r} among {tensors}: expected {expected}, got {got!r}. {why}")
    solved("You can read indices that TensorRT no longer writes.")
