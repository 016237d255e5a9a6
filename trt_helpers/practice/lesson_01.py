"""Checks for the exercises of lesson 1."""

from __future__ import annotations

from collections.abc import Callable

import onnx.parser
import torch

from ..backend import device, trt
from ..engine import Profile, build_plan, load_engine
from ..errors import TensorRTError
from ..log import logger
from ..streams import synchronize_all
from .verdicts import not_yet, solved, untouched, what_differs


def check_row_profile(doubler: bytes, profile: object) -> None:
    """Lesson 1, exercise 1: accepts 1 to 32 rows of exactly 10 columns, tuned for 8 rows."""
    if untouched(profile):
        return
    if not isinstance(profile, dict):
        return not_yet(f"Expected th.Profile(x=(min, opt, max)), got {type(profile).__name__}.")
    try:
        engine = load_engine(build_plan(doubler, Profile(profile)))
    except (TensorRTError, TypeError, ValueError) as error:
        return not_yet(f"The builder does not take this profile. {error}")
    context = engine.create_execution_context()
    with logger.quietly():
        for shape, wanted in {(1, 10): True, (32, 10): True, (33, 10): False, (0, 10): False, (4, 9): False}.items():
            if context.set_input_shape("x", shape) != wanted:
                verb = "refuses" if wanted else "accepts"
                return not_yet(f"x: the engine {verb} {shape}; it should {'accept' if wanted else 'refuse'} it.")
        if context.set_input_shape("x", (4, 11)):
            return not_yet("x: the engine accepts (4, 11); exactly 10 columns were asked for.")
    opt = tuple(engine.get_tensor_profile_shape("x", 0)[1])
    if opt != (8, 10):
        return not_yet(f"x: the range is right, but opt is {opt}; the likeliest shape is (8, 10).")
    return solved("1 to 32 rows of 10 columns, tuned for 8.")


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
    engine = load_engine(build_plan(model, Profile(picture=((1, 1), (4, 4), (4096, 4096)))))
    kept = []
    try:
        # The large one first: whoever does not wait for it reads it long before it is there.
        for shape in [(4096, 4096), (2, 3), (5, 1)]:
            picture = torch.arange(float(shape[0] * shape[1])).reshape(shape)
            expected = picture.T.to(torch.int32).to(device)  # now: nothing may delay the comparison
            kept += [picture.to(device)]
            try:
                counted = run(engine, kept[-1])
            except Exception as error:
                return not_yet(f"For an input of shape {shape} your function raised {type(error).__name__}: {error}")
            kept += [counted]
            if untouched(counted):
                return None
            problem = what_differs("counted", counted, expected)
            if problem:
                return not_yet(f"For an input of shape {shape}: {problem}")
        return solved("It runs an engine that it had never seen, in three shapes.")
    finally:
        synchronize_all()  # work that nobody waited for may still write to the kept tensors
