"""What is wrong with a learner's profile: an engine is built with it and asked which shapes it takes."""

from __future__ import annotations

from ...engine import Profile, build_plan, load_engine
from ...errors import TensorRTError
from ...lanes import trt
from ...log import logger

Shape = tuple[int, ...]


def wrong_profile(model: bytes, name: str, profile: object, wanted: dict[Shape, bool], opt: Shape) -> str:
    """In what a profile for the input `name` differs from what was asked for; empty if in nothing.

    Parameters:
        wanted: for each shape to try, whether the engine should accept it.
        opt: the shape that the engine should be tuned for.
    """
    if not isinstance(profile, dict):
        return f"Expected th.Profile({name}=(min, opt, max)), got {type(profile).__name__}."
    try:
        engine = load_engine(build_plan(model, Profile(profile), progress=False))
    except (TensorRTError, TypeError, ValueError) as error:
        return f"The builder does not take this profile. {error}"
    return _wrong_limits(engine, name, wanted, opt)


def _wrong_limits(engine: trt.ICudaEngine, name: str, wanted: dict[Shape, bool], opt: Shape) -> str:
    context = engine.create_execution_context()
    with logger.quietly():
        for shape, accepted in wanted.items():
            if context.set_input_shape(name, shape) != accepted:
                verb = "refuses" if accepted else "accepts"
                return f"{name}: the engine {verb} {shape}; it should {'accept' if accepted else 'refuse'} it."
    got = tuple(engine.get_tensor_profile_shape(name, 0)[1])
    if got != opt:
        return f"{name}: the range is right, but opt is {got}; the likeliest shape is {opt}."
    return ""
