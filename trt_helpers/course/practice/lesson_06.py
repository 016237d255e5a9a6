"""Checks for the exercises of lesson 6."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch

from ... import legacy
from ...building.plan import Profile
from ...lanes import device, trt
from .verdicts import NotYet, answer, engine_of, expect_equal, expect_keys, never_raises, solved, touched

_detect = engine_of(
    """
    detect (float[n] image) => (float[n] boxes, float[n] labels, float[n] scores) {
        boxes = Neg(image)
        labels = Abs(image)
        scores = Exp(image)
    }
    """,
    *(Profile(image=((1,), (2,), (size,))) for size in (4, 8, 16)),
)


@never_raises
def check_number(number: object) -> None:
    """Lesson 6, exercise 1: the binding of ``scores`` in profile 2, compared with the legacy view of such an engine."""
    if isinstance(touched(number), bool) or not isinstance(number, int):
        raise NotYet(f"A binding's number is an integer, yours is {type(number).__name__}.")
    engine = legacy.view(_detect())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if not 0 <= number < engine.num_bindings:
            raise NotYet(f"There is no binding {number}: 3 profiles of 4 tensors are numbered 0 to 11.")
        if number != engine.get_binding_index("scores [profile 2]"):
            raise NotYet(f"Binding {number} is '{engine.get_binding_name(number)}'. Count the profiles from 0.")
    solved("2 x 4 + 3: two whole profiles, and three tensors before it.")


_port = engine_of(
    """
    port (float[rows, columns] left, float[rows, columns] right)
        => (float[rows, columns] difference, int32[columns, rows] counted) {
        difference = Sub(left, right)
        turned = Transpose <perm = [1, 0]> (left)
        counted = Cast <to = 6> (turned)
    }
    """,
    Profile.same(("left", "right"), (1, 2), (2, 8), (4, 8)),
    Profile.same(("left", "right"), (8, 2), (8, 8), (32, 8)),
)
_three_types = engine_of(
    """
    three (int64[n] ids, int32[n] types, float16[n] weights) => (int64[n] a, int32[n] b, float16[n] c) {
        a = Add(ids, ids)
        b = Add(types, types)
        c = Add(weights, weights)
    }
    """,
    Profile.same(("ids", "types", "weights"), (1,), (4,), (8,)),
)


@never_raises
def check_as_wanted(as_wanted: Callable[[trt.ICudaEngine, dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Lesson 6, exercise 2: every tensor has the type of its input, and its values."""
    wanted = {"ids": torch.int64, "types": torch.int32, "weights": torch.float16}
    given = {"weights": torch.tensor([0.5, 1.5]), "ids": torch.tensor([7, 8]).int(), "types": torch.tensor([0, 1])}
    given = {name: tensor.to(device) for name, tensor in given.items()}
    got = answer(as_wanted, _three_types(), dict(given))
    expect_keys(got, wanted, "keys")
    for name, dtype in wanted.items():
        if not isinstance(got[name], torch.Tensor):
            raise NotYet(f"'{name}' should be a tensor, it is {type(got[name]).__name__}.")
        if got[name].dtype != dtype:
            raise NotYet(f"'{name}' is {got[name].dtype}, the engine wants {dtype}: ask it for each name.")
        if not torch.equal(got[name].cpu(), given[name].to(dtype).cpu()):
            raise NotYet(f"'{name}' has the right type and other values than before: cast it, do not reinterpret it.")
    solved("Three inputs, three types, and none of them from memory.")


@never_raises
def check_ported(ported: Callable) -> None:
    """Lesson 6, exercise 3: two inputs and two outputs by name, in the profile asked for, compared with PyTorch."""
    for profile, shape in [(1, (10, 6)), (0, (2, 8)), (1, (32, 2))]:
        where = f"In profile {profile}, shape {shape}"
        left, right = torch.arange(float(shape[0] * shape[1])).reshape(shape), torch.full(shape, 3.0)
        inputs = {"right": right.to(device), "left": left.to(device)}
        got = answer(ported, _port(), inputs, profile, who=f"{where}, yours")
        expected = {"difference": left - right, "counted": left.T.to(torch.int32)}
        expect_keys(got, expected)
        for name, tensor in expected.items():
            expect_equal(name, got[name], tensor.to(device), f"{where}: ")
    solved("Both profiles, both outputs, and no number in it.")
