"""Checks for the exercises of lesson 3."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...binding import allocate_outputs, bind, set_input_shapes
from ...building.plan import Profile
from ...errors import TensorRTError
from ...lanes import device, trt
from ...log import logger
from ...streams import Stream
from .verdicts import NotYet, Untouched, answer, engine_of, expect_keys, never_raises, solved, touched

_same_rows = engine_of(
    "same (float[rows, 2] left, float[rows, 5] right) => (float[rows, 7] both) {both = Concat <axis=1> (left, right)}",
    Profile(left=((1, 2), (2, 2), (600, 2)), right=((1, 5), (2, 5), (600, 5))),
)


@never_raises
def check_request(request: dict[str, object]) -> None:
    """Lesson 3, exercise 1: two shapes that fit together, asked of an engine that makes 7 rows of them."""
    if not isinstance(request, dict) or set(request) != {"left", "right"}:
        raise NotYet("Expected a dictionary with the shapes of left and right.")
    for shape in request.values():
        touched(shape)
    context = _same_rows().create_execution_context()
    try:
        set_input_shapes(context, request)
        made = allocate_outputs(context)["both"]
    except TensorRTError as error:
        raise NotYet(str(error)) from error
    if made.shape != (7, 7):
        raise NotYet(f"'both' has shape {tuple(made.shape)}, expected (7, 7): seven rows were asked for.")
    solved("As many rows for both, and each with its own columns.")


# Outputs of 2, 1 and 8 bytes an element, one of them larger than the input.
_three_dtypes = engine_of(
    """
    three (float[rows, columns] x) => (float16[rows, columns] half, bool[rows, columns] big, int64[rows, twice] pair)
    <float zero = {0.0}> {
        half = Cast <to = 10> (x)
        big = Greater(x, zero)
        doubled = Concat <axis = 1> (x, x)
        pair = Cast <to = 7> (doubled)
    }
    """,
    Profile(x=((1, 4), (2, 8), (8, 64))),
    Profile(x=((1, 4), (2, 8), (40, 64))),
)
_WORST = [{"half": 1024, "big": 512, "pair": 8192}, {"half": 5120, "big": 2560, "pair": 40960}]


@never_raises
def check_worst_bytes(worst_bytes: Callable) -> None:
    """Lesson 3, exercise 2: the bytes of each output at a profile's maximum, compared with figures of ours."""
    engine = _three_dtypes()
    for profile, expected in enumerate(_WORST):
        got = answer(worst_bytes, engine, profile, who=f"For profile {profile} your function")
        expect_keys(got, expected)
        for name, size in expected.items():
            if got[name] != size:
                why = _why_bytes(engine, name, got[name], size)
                raise NotYet(f"'{name}' in profile {profile}: expected {size:,} bytes, got {got[name]!r}. {why}")
    solved("You know the worst before it comes.")


def _why_bytes(engine: trt.ICudaEngine, name: str, got: object, expected: int) -> str:
    dtype = engine.get_tensor_dtype(name)
    if isinstance(got, int) and got < 0:
        return "The engine's shape has -1 in it: set the inputs, then ask the context."
    if isinstance(got, int) and got * dtype.itemsize in (expected, expected * 4):
        return f"An element of {dtype.name} has {int(dtype.itemsize)} byte(s)."
    return "Is the context on that profile, and each input at its max?"


_VERDICTS = [
    ({"left": (3, 2), "right": (3, 5)}, "ok"),
    ({"left": (3, 2)}, "missing"),
    ({"left": (3, 2), "right": (4, 5)}, "disagree"),
    ({"left": (601, 2), "right": (3, 5)}, "refused"),
    ({"left": (3, 2), "right": (3, 4)}, "refused"),
    ({"left": (3, 2), "right": (5,)}, "refused"),
    ({"left": (3, 2), "wrong": (3, 5)}, "refused"),
]


@never_raises
def check_verdict(verdict: Callable) -> None:
    """Lesson 3, exercise 3: refused, missing, disagree or ok, compared with verdicts written down by hand.

    A shape to be refused meets a context that has just taken a good one: whoever does not look finds nothing wrong.
    """
    engine = _same_rows()
    for shapes, expected in _VERDICTS:
        context = engine.create_execution_context()
        if expected == "refused":
            set_input_shapes(context, {"left": (3, 2), "right": (3, 5)})
        with logger.quietly():
            got = answer(verdict, context, dict(shapes), who=f"For {shapes} your function")
        if got != expected:
            raise NotYet(f"For {shapes}: expected {expected!r}, got {got!r}. {_WHY_VERDICT[expected]}")
    solved("Nothing slips past you.")


_WHY_VERDICT = {
    "ok": "1 to 600 rows are allowed, as many for both.",
    "missing": "An input has no shape yet: look at what infer_shapes returns.",
    "disagree": "Each is allowed, but the rows differ: infer_shapes raises.",
    "refused": "set_input_shape returned False, and the old shape is still there.",
}


@never_raises
def check_keeping(keeping: type) -> None:
    """Lesson 3, exercise 4: an output allocator that reuses its memory.

    It is asked as TensorRT asks, first by hand: nothing runs before its memory is known to be large enough.
    """
    if not isinstance(keeping, type):
        raise NotYet(f"Expected the class Keeping, got {type(keeping).__name__}.")
    if "reallocate_output_async" not in vars(keeping):
        raise Untouched("write reallocate_output_async and notify_shape. There is no hurry.")
    try:
        allocator = keeping()
        _expect_memory(allocator)
        _expect_delivery(allocator)
    except NotYet:
        raise
    except Exception as error:
        raise NotYet(f"With your allocator, {type(error).__name__}: {error}") from error
    solved("Memory for the largest request, taken once.")


def _expect_memory(allocator: trt.IOutputAllocator) -> None:
    """Pass only an allocator that, asked for growing and shrinking sizes, gives memory which is large enough."""
    addresses = []
    for size in (1024, 512, 4096, 4096, 1024):
        address = allocator.reallocate_output_async("both", addresses[-1] if addresses else 0, size, 256, 0)
        memory, kind = getattr(allocator, "memory", None), type(address).__name__
        if not isinstance(memory, torch.Tensor):
            raise NotYet(f"After {size} bytes were asked for, self.memory is {type(memory).__name__}, not a tensor.")
        if not isinstance(address, int):
            raise NotYet(f"reallocate_output_async returned {kind}; expected an address, memory.data_ptr().")
        if not memory.data_ptr() <= address <= memory.data_ptr() + memory.nbytes - size:
            raise NotYet(
                f"{size} bytes were asked for; self.memory has {memory.nbytes} bytes, and they are not all behind the "
                "address that you returned. TensorRT would write past its end."
            )
        addresses.append(address)
    if addresses[0] != addresses[1] or len(set(addresses[2:])) != 1:
        raise NotYet("New memory was taken although the old was large enough: compare self.memory.nbytes with size.")


def _expect_delivery(allocator: trt.IOutputAllocator) -> None:
    """Pass only an allocator that TensorRT itself can use, for a large output and then for a small one."""
    context, stream = _same_rows().create_execution_context(), Stream()
    context.set_output_allocator("both", allocator)
    for rows in (600, 3):
        inputs = {"left": torch.ones(rows, 2).to(device), "right": torch.full((rows, 5), 2.0).to(device)}
        set_input_shapes(context, inputs)
        bind(context, inputs)
        if not context.execute_async_v3(stream.handle):
            raise NotYet(f"The execution for {rows} rows was refused. {logger.last_error}")
        stream.synchronize()
        shape = getattr(allocator, "shape", None)
        if shape is None or tuple(shape) != (rows, 7):
            raise NotYet(
                f"'both' has shape ({rows}, 7), your allocator's shape is {shape}. What does notify_shape keep?"
            )
        first = allocator.memory.view(torch.float32)[:7].tolist()
        if first != [1, 1, 2, 2, 2, 2, 2]:
            raise NotYet(f"'both' should begin with 1, 1, 2, 2, 2, 2, 2, it is {first}.")
