"""Lesson 3: which profiles take a request of some size, and how large its output is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ipywidgets as widgets

from ...lanes import trt
from ...log import first_error, logger
from ...tensors import input_names, output_names
from . import html
from .contexts import context_on
from .panel import Panel, labelled

Shape = tuple[int, ...]
AXES = ("batch", "sequence")
LARGEST = 9999


class Answer(NamedTuple):
    """What a context on one profile said: one boolean for each input, and TensorRT's line for the first refusal."""

    profile: int
    low: Shape
    high: Shape
    returned: list[bool]
    words: str


class Output(NamedTuple):
    """An output's shape and size. ``nbytes`` is None where the size depends on the data."""

    name: str
    shape: Shape
    dtype: str
    nbytes: int | None


class RequestFacts(NamedTuple):
    """One shape for all inputs, what each profile said to it, and the outputs if any accepted it."""

    shape: Shape
    inputs: list[str]
    answers: list[Answer]
    outputs: list[Output]


# ---- facts and their HTML -----------------------------------------------------------------------------------


def request_facts(engine: trt.ICudaEngine, shape: Shape) -> RequestFacts:
    """Offer one shape for all inputs to a fresh context on each profile. Nothing is allocated, nothing runs.

    Parameters:
        shape: (batch, sequence).

    Raises:
        ValueError: the engine has an input that is not two-dimensional.
    """
    inputs = input_names(engine)
    for name in inputs:
        if len(engine.get_tensor_shape(name)) != len(AXES):
            raise ValueError(f"{name} has shape {tuple(engine.get_tensor_shape(name))}; all inputs must have two sizes")
    answers, outputs = [], []
    for profile in range(engine.num_optimization_profiles):
        context = context_on(engine, profile)
        answers.append(_answer(context, profile, inputs, shape))
        if not outputs and all(answers[-1].returned):
            outputs = _outputs(context)
    return RequestFacts(tuple(shape), inputs, answers, outputs)


def _answer(context: trt.IExecutionContext, profile: int, inputs: Sequence[str], shape: Shape) -> Answer:
    low, _, high = (tuple(limit) for limit in context.engine.get_tensor_profile_shape(inputs[0], profile))
    with logger.quietly() as messages:
        returned = [context.set_input_shape(name, shape) for name in inputs]
    return Answer(profile, low, high, returned, first_error(messages))


def _outputs(context: trt.IExecutionContext) -> list[Output]:
    """All outputs; none if the inputs do not fit together."""
    with logger.quietly():
        try:
            context.infer_shapes()
        except RuntimeError:
            return []
    return [_output(context, name) for name in output_names(context.engine)]


def _output(context: trt.IExecutionContext, name: str) -> Output:
    shape, dtype = tuple(context.get_tensor_shape(name)), context.engine.get_tensor_dtype(name)
    nbytes = None if -1 in shape else trt.volume(shape) * dtype.itemsize
    return Output(name, shape, dtype.name, nbytes)


def render_request(facts: RequestFacts) -> str:
    """The facts as HTML: a summary, what each profile said, the calls, TensorRT's words if it refused."""
    accepting = [answer.profile for answer in facts.answers if all(answer.returned)]
    parts = [_summary(facts, accepting), _answer_table(facts)]
    if facts.outputs:
        rows = [(o.name, o.shape, o.dtype, _bytes(o)) for o in facts.outputs]
        parts.append(html.table("Outputs, before anything is allocated", ("output", "shape", "dtype", "bytes"), rows))
    calls = "\n".join(f'context.set_input_shape("{name}", {facts.shape})' for name in facts.inputs)
    parts.append(html.code("The calls", calls))
    refusals = {answer.words: answer.profile for answer in reversed(facts.answers) if answer.words}
    for words, profile in reversed(refusals.items()):
        parts.append(html.code(f"TensorRT's words to a context on profile {profile}", words))
    return "\n".join(parts)


def _summary(facts: RequestFacts, accepting: list[int]) -> str:
    request = f"{facts.shape[0]} x {facts.shape[1]}"
    if not accepting:
        return html.alert(f"no profile accepts {request}.")
    accepted = f"{request} is accepted by profile {' and profile '.join(map(str, accepting))}"
    sizes = "; ".join(f"{o.name} is {o.shape}, {_bytes(o)} bytes" for o in facts.outputs)
    return html.status(f"{accepted}. {sizes or 'But the inputs do not fit together'}.")


def _bytes(output: Output) -> str:
    return "as many as the data need" if output.nbytes is None else f"{output.nbytes:,}"


def _answer_table(facts: RequestFacts) -> str:
    rows = [
        (f"profile {a.profile}", a.low, a.high, all(a.returned), "; ".join(_reasons(facts.shape, a.low, a.high)))
        for a in facts.answers
    ]
    return html.table(
        f"What set_input_shape returned for {facts.shape}", ("context on", "min", "max", "returned", "why not"), rows
    )


def _reasons(shape: Shape, low: Shape, high: Shape) -> list[str]:
    """What is outside the profile, axis by axis."""
    reasons = []
    for axis, size, least, most in zip(AXES, shape, low, high, strict=True):
        if size < least:
            reasons.append(f"{axis} {size} is less than {least}")
        if size > most:
            reasons.append(f"{axis} {size} is more than {most}")
    return reasons


# ---- the widget ---------------------------------------------------------------------------------------------


class ShapePlayground(Panel):
    """Type a batch and a sequence length; see who takes them and what comes out. Nothing is allocated or run.

    Parameters:
        engine: all its inputs have shape (batch, sequence).

    Attributes:
        batch, sequence: two fields for whole numbers from 0 to 9999.
    """

    title = "Shape playground"

    def __init__(self, engine: trt.ICudaEngine, batch: int = 1, sequence: int = 9) -> None:
        self._engine = engine
        limits = {"min": 0, "max": LARGEST}
        self.batch = labelled(widgets.BoundedIntText, "batch (sentences)", value=batch, **limits)
        self.sequence = labelled(widgets.BoundedIntText, "sequence (tokens)", value=sequence, **limits)
        super().__init__([self.batch, self.sequence])

    def render(self) -> str:
        """Ask every profile, and describe the answers."""
        return render_request(request_facts(self._engine, (self.batch.value, self.sequence.value)))
