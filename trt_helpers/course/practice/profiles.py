"""What is wrong with a learner's profile: an engine is built with it and asked which shapes it takes."""

from __future__ import annotations

from ...building.plan import Profile, build_plan
from ...engine import load_engine
from ...errors import TensorRTError
from ...log import logger
from .verdicts import NotYet

Shape = tuple[int, ...]


def expect_profile(model: bytes, name: str, profile: object, wanted: dict[Shape, bool], opt: Shape) -> None:
    """Pass only a profile for the input `name` that allows what was asked for.

    Parameters:
        wanted: for each shape to try, whether the engine should accept it.
        opt: the shape that the engine should be tuned for.
    """
    if not isinstance(profile, dict):
        raise NotYet(f"Expected th.Profile({name}=(min, opt, max)), got {type(profile).__name__}.")
    try:
        engine = load_engine(build_plan(model, Profile(profile), progress=False))
    except (TensorRTError, TypeError, ValueError) as error:
        raise NotYet(f"The builder does not take this profile. {error}") from error
    context = engine.create_execution_context()
    with logger.quietly():
        for shape, accepted in wanted.items():
            if context.set_input_shape(name, shape) != accepted:
                is_so, should = ("refuses", "accept") if accepted else ("accepts", "refuse")
                raise NotYet(f"{name}: the engine {is_so} {shape}; it should {should} it.")
    got = tuple(engine.get_tensor_profile_shape(name, 0)[1])
    if got != opt:
        raise NotYet(f"{name}: the range is right, but opt is {got}; the likeliest shape is {opt}.")
