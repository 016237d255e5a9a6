"""Checks for the exercises of lesson 6."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch

from ... import legacy
from ...engine import Profile
from ...lanes import device, trt
from .verdicts import build_engine, never_raises, not_yet, solved, untouched, what_differs

_DETECT = """
    <ir_version: 10, opset_import: ["": 20]>
    detect (float[n] image) => (float[n] boxes, float[n] labels, float[n] scores) {
        boxes = Neg(image)
        labels = Abs(image)
        scores = Exp(image)
    }
"""


@cache
def _detect() -> trt.ICudaEngine:
    return legacy.view(build_engine(_DETECT, [Profile(image=((1,), (2,), (size,))) for size in (4, 8, 16)]))


@never_raises
def check_number(number: object) -> None:
    """Lesson 6, exercise 1: the binding of ``scores`` in profile 2, compared with the legacy view of such an engine."""
    if untouched(number):
        return None
    if isinstance(number, bool) or not isinstance(number, int):
        return not_yet(f"A binding's number is an integer, yours is {type(number).__name__}.")
    engine = _detect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = engine.get_binding_index("scores [profile 2]")
        if not 0 <= number < engine.num_bindings:
            return not_yet(f"There is no binding {number}: 3 profiles of 4 tensors are numbered 0 to 11.")
        if number != expected:
            return not_yet(f"Binding {number} is '{engine.get_binding_name(number)}'. Count the profiles from 0.")
    return solved("2 x 4 + 3: two whole profiles, and three tensors before it.")


_PORT = """
    <ir_version: 10, opset_import: ["": 20]>
    port (float[rows, columns] left, float[rows, columns] right)
        => (float[rows, columns] difference, int32[columns, rows] counted) {
        difference = Sub(left, right)
        turned = Transpose <perm = [1, 0]> (left)
        counted = Cast <to = 6> (turned)
    }
"""
_THREE_TYPES = """
    <ir_version: 10, opset_import: ["": 20]>
    three (int64[n] ids, int32[n] types, float16[n] weights) => (int64[n] a, int32[n] b, float16[n] c) {
        a = Add(ids, ids)
        b = Add(types, types)
        c = Add(weights, weights)
    }
"""
_PORT_PROFILES = [
    Profile.same(("left", "right"), (1, 2), (2, 8), (4, 8)),
    Profile.same(("left", "right"), (8, 2), (8, 8), (32, 8)),
]


@never_raises
def check_as_wanted(as_wanted: Callable[[trt.ICudaEngine, dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Lesson 6, exercise 2: every tensor has the type of its input, and its values."""
    names = ("ids", "types", "weights")
    engine = build_engine(_THREE_TYPES, [Profile.same(names, (1,), (4,), (8,))])
    wanted = {"ids": torch.int64, "types": torch.int32, "weights": torch.float16}
    given = {"weights": torch.tensor([0.5, 1.5]), "ids": torch.tensor([7, 8]).int(), "types": torch.tensor([0, 1])}
    given = {name: tensor.to(device) for name, tensor in given.items()}
    try:
        got = as_wanted(engine, dict(given))
    except Exception as error:
        return not_yet(f"Your function raised {type(error).__name__}: {error}")
    if untouched(got):
        return None
    if not isinstance(got, dict) or set(got) != set(names):
        kind = f"the keys {', '.join(map(str, got))}" if isinstance(got, dict) else type(got).__name__
        return not_yet(f"Expected a dictionary with the keys {', '.join(names)}, got {kind}.")
    for name, dtype in wanted.items():
        if not isinstance(got[name], torch.Tensor):
            return not_yet(f"'{name}' should be a tensor, it is {type(got[name]).__name__}.")
        if got[name].dtype != dtype:
            return not_yet(f"'{name}' is {got[name].dtype}, the engine wants {dtype}: ask it for each name.")
        if not torch.equal(got[name].cpu(), given[name].to(dtype).cpu()):
            return not_yet(f"'{name}' has the right type and other values than before: cast it, do not reinterpret it.")
    return solved("Three inputs, three types, and none of them from memory.")


@never_raises
def check_ported(ported: Callable) -> None:
    """Lesson 6, exercise 3: two inputs and two outputs by name, in the profile asked for, compared with PyTorch."""
    engine = build_engine(_PORT, _PORT_PROFILES)
    for profile, shape in [(1, (10, 6)), (0, (2, 8)), (1, (32, 2))]:
        left, right = torch.arange(float(shape[0] * shape[1])).reshape(shape), torch.full(shape, 3.0)
        inputs = {"right": right.to(device), "left": left.to(device)}
        try:
            got = ported(engine, inputs, profile)
        except Exception as error:
            return not_yet(f"In profile {profile}, shape {shape}, yours raised {type(error).__name__}: {error}")
        if untouched(got):
            return None
        expected = {"difference": left - right, "counted": left.T.to(torch.int32)}
        if not isinstance(got, dict) or set(got) != set(expected):
            kind = f"the keys {', '.join(map(str, got))}" if isinstance(got, dict) else type(got).__name__
            return not_yet(f"Expected a dictionary with the outputs {', '.join(expected)}, got {kind}.")
        for name, tensor in expected.items():
            if problem := what_differs(name, got[name], tensor.to(device)):
                return not_yet(f"In profile {profile}, shape {shape}: {problem}")
    return solved("Both profiles, both outputs, and no number in it.")
