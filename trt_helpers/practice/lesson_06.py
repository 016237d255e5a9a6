"""Checks for the exercises of lesson 6."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..backend import device, trt
from ..engine import Profile
from .verdicts import build_engine, not_yet, solved, untouched, what_differs

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


def check_as_wanted(as_wanted: Callable[[trt.ICudaEngine, dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Lesson 6, exercise 1: every tensor has the type of its input, and its values."""
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


def check_ported(ported: Callable) -> None:
    """Lesson 6, exercise 2: two inputs and two outputs by name, in the profile asked for, compared with PyTorch."""
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
