"""Twelve things about TensorRT's runtime that its documentation leaves open, each asked of the real thing.

``python -m trt_helpers verify`` runs each in a process of its own, because some may crash it. A question makes a
tiny engine, tries one thing and returns what it saw. Nothing is judged here.

    python -m trt_helpers.course.questions Q1        one question, the answer as a line of JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import onnx.parser
import torch

from ..building.plan import Profile, build_plan
from ..engine import load_engine
from ..lanes import device, trt
from ..log import Logger
from ..streams import Stream, default_stream

SMALL, LARGE = Profile(x=((1, 4), (2, 4), (2, 4))), Profile(x=((4, 4), (8, 4), (8, 4)))
log = Logger(show=None)


def _engine(*profiles: Profile, dims: str = "rows, 4") -> trt.ICudaEngine:
    """y = x + x, with these profiles."""
    model = onnx.parser.parse_model(f"""
        <ir_version: 10, opset_import: ["": 20]>
        doubler (float[{dims}] x) => (float[{dims}] y) {{ y = Add(x, x) }}
    """)
    return load_engine(build_plan(model, profiles, progress=False, log=log), log=log)


def _tensors(rows: int, value: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    # Made on the host and copied: the copy is finished when .to() returns, so no stream can be too early.
    return torch.full((rows, 4), value).to(device), torch.zeros(rows, 4).to(device)


def _bind(context: trt.IExecutionContext, x: torch.Tensor, y: torch.Tensor) -> None:
    context.set_tensor_address("x", x.data_ptr())
    context.set_tensor_address("y", y.data_ptr())


def _lines(severities: str = "FEW") -> list[str]:
    return [m.text for m in log.messages if m.severity in severities]


def _shape(context: trt.IExecutionContext) -> list[int]:
    return list(context.get_tensor_shape("x"))


def q1() -> dict:
    """Is a shape accepted that only a profile that is not active allows?"""
    context = _engine(SMALL, LARGE).create_execution_context()
    log.clear()
    return {"accepted": context.set_input_shape("x", (6, 4)), "shape": _shape(context), "log": _lines()}


def q2() -> dict:
    """Does switching to the profile already active forget shapes, and does a real switch forget addresses?"""
    context, stream = _engine(SMALL, LARGE).create_execution_context(), Stream()
    x, y = _tensors(2)
    context.set_input_shape("x", (2, 4))
    _bind(context, x, y)
    context.set_optimization_profile_async(0, stream.handle)
    same = _shape(context)
    context.set_optimization_profile_async(1, stream.handle)
    kept = context.get_tensor_address("x") == x.data_ptr()
    return {"shape after same": same, "shape after switch": _shape(context), "address kept": kept}


def q3() -> dict:
    """What is logged for an unknown tensor name?"""
    engine = _engine(SMALL)
    context = engine.create_execution_context()
    log.clear()
    returned = [context.set_input_shape("nope", (1, 4)), context.set_tensor_address("nope", 512)]
    engine.get_tensor_shape("nope")
    return {"returned": returned, "log": _lines()}


def q4() -> dict:
    """Is a misaligned address refused when it is set, or when it is used?"""
    context, stream = _engine(SMALL).create_execution_context(), Stream()
    room, y = torch.ones(64).to(device), torch.zeros(2, 4).to(device)
    context.set_input_shape("x", (2, 4))
    log.clear()
    set_result = context.set_tensor_address("x", room.data_ptr() + 4)
    context.set_tensor_address("y", y.data_ptr())
    enqueued = context.execute_async_v3(stream.handle)
    stream.synchronize()
    return {"set": set_result, "enqueued": enqueued, "right": bool((y == 2).all()), "log": _lines()}


def q5() -> dict:
    """How often is the default stream warned about, in three executions?"""
    context = _engine(SMALL).create_execution_context()
    x, y = _tensors(2)
    context.set_input_shape("x", (2, 4))
    _bind(context, x, y)
    log.clear()
    returned = [context.execute_async_v3(0) for _ in range(3)]
    default_stream().synchronize()  # x and y must not go before the work is done
    return {"returned": returned, "warnings": sum("default stream" in line for line in _lines("W"))}


def q6() -> dict:
    """What is logged for a profile that does not exist?"""
    context, stream = _engine(SMALL).create_execution_context(), Stream()
    log.clear()
    try:
        context.set_optimization_profile_async(99, stream.handle)
        raised = ""
    except RuntimeError as error:
        raised = str(error)
    return {"raised": raised, "log": _lines()}


def q7() -> dict:
    """What does execute_v2 do with a list that is too short?"""
    context = _engine(SMALL).create_execution_context()
    x, y = _tensors(2)
    context.set_input_shape("x", (2, 4))
    log.clear()
    returned = context.execute_v2([x.data_ptr()])
    return {"returned": returned, "output untouched": bool((y == 0).all()), "log": _lines()}


def q8() -> dict:
    """Shape and addresses are missing: which is complained about first?"""
    context, stream = _engine(SMALL).create_execution_context(), Stream()
    log.clear()
    context.execute_async_v3(stream.handle)
    nothing_set = _lines()
    log.clear()
    context.set_input_shape("x", (2, 4))
    context.execute_async_v3(stream.handle)
    return {"nothing set": nothing_set, "only the shape set": _lines()}


def q9() -> dict:
    """Do two contexts on the same profile run together and give right results?"""
    engine = _engine(SMALL)
    pairs = [_tensors(2, value) for value in (1.0, 10.0)]
    contexts, streams = [engine.create_execution_context() for _ in pairs], [Stream() for _ in pairs]
    if None in contexts:
        return {"second context": None, "log": _lines()}
    for context, (x, y) in zip(contexts, pairs, strict=True):
        context.set_input_shape("x", (2, 4))
        _bind(context, x, y)
    log.clear()
    pairs_of = list(zip(contexts, streams, strict=True))
    returned = [context.execute_async_v3(stream.handle) for _ in range(20) for context, stream in pairs_of]
    for stream in streams:
        stream.synchronize()
    return {"all enqueued": all(returned), "right": [bool((y == 2 * x).all()) for x, y in pairs], "log": _lines()}


def q10() -> dict:
    """Must an input be set whose profile leaves it no choice?"""
    context, stream = _engine(Profile(x=((2, 4), (2, 4), (2, 4)))).create_execution_context(), Stream()
    shape, missing = _shape(context), list(context.infer_shapes())
    x, y = _tensors(2)
    _bind(context, x, y)
    log.clear()
    enqueued = context.execute_async_v3(stream.handle)
    stream.synchronize()
    right = bool((y == 2).all())
    return {"shape": shape, "infer_shapes": missing, "enqueued": enqueued, "right": right, "log": _lines()}


def q11() -> dict:
    """How is a shape outside two profiles complained about?"""
    context = _engine(SMALL, LARGE).create_execution_context()
    log.clear()
    return {"accepted": context.set_input_shape("x", (3, 4)), "log": _lines()}


def q12() -> dict:
    """What is the profile shape of an input without dynamic dimensions?"""
    engine = _engine(dims="2, 4")
    log.clear()
    shapes = engine.get_tensor_profile_shape("x", 0)
    return {"profiles": engine.num_optimization_profiles, "shapes": [str(s) for s in shapes], "log": _lines()}


QUESTIONS: dict[str, Callable[[], dict]] = {f"Q{i}": globals()[f"q{i}"] for i in range(1, 13)}


if __name__ == "__main__":
    print(json.dumps(QUESTIONS[sys.argv[1]]()))
