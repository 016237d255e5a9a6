"""Lesson 2: what an engine says about its tensors, for the profiles that you pick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import ipywidgets as widgets

from ...building.plan import Profile, build_plan
from ...engine import load_engine
from ...lanes import trt
from ...legacy.indices import Bindings
from ...tensors import tensor_names
from . import html
from .contexts import context_on
from .panel import Panel, labelled

Shape = tuple[int, ...]
NO_PROFILE = "none"  # not None, which ipywidgets shows as an empty field


class TensorFacts(NamedTuple):
    """One I/O tensor. ``low`` and ``high`` are what the context's profile accepts, None for an output."""

    name: str
    mode: str
    dtype: str
    engine_shape: Shape
    context_shape: Shape
    low: Shape | None
    high: Shape | None


class EngineFacts(NamedTuple):
    """An engine's I/O tensors, its number of profiles, and the profile of the context that was asked."""

    tensors: list[TensorFacts]
    profiles: int
    active: int


# ---- facts and their HTML -----------------------------------------------------------------------------------


def engine_facts(engine: trt.ICudaEngine, profile: int = 0) -> EngineFacts:
    """Ask an engine, and a fresh context on one of its profiles, about every I/O tensor.

    Raises:
        RuntimeError: there is no such profile; TensorRT's own error.
    """
    context = context_on(engine, profile)
    tensors = [_tensor_facts(engine, context, name, profile) for name in tensor_names(engine)]
    return EngineFacts(tensors, engine.num_optimization_profiles, profile)


def _tensor_facts(engine: trt.ICudaEngine, context: trt.IExecutionContext, name: str, profile: int) -> TensorFacts:
    low = high = None
    mode = engine.get_tensor_mode(name)
    if mode == trt.TensorIOMode.INPUT:  # for an output TensorRT gives three shapes that are not valid
        low, _, high = (tuple(shape) for shape in engine.get_tensor_profile_shape(name, profile))
    shapes = tuple(engine.get_tensor_shape(name)), tuple(context.get_tensor_shape(name))
    return TensorFacts(name, mode.name, engine.get_tensor_dtype(name).name, *shapes, low, high)


def render_engine(facts: EngineFacts) -> str:
    """The facts as HTML: a summary, the I/O tensors with a context's shapes, TensorRT 8's binding indices."""
    bindings = Bindings(tuple(tensor.name for tensor in facts.tensors), facts.profiles)
    return "\n".join([_summary(facts, bindings), _tensor_table(facts), _index_table(facts, bindings)])


def _summary(facts: EngineFacts, bindings: Bindings) -> str:
    is_input = [tensor.mode == "INPUT" for tensor in facts.tensors]
    ours = bindings.of_profile(facts.active)
    inputs = [index for index, ours_is_input in zip(ours, is_input, strict=True) if ours_is_input]
    outputs = [index for index in ours if index not in inputs]
    return html.status(
        f"num_io_tensors is {len(facts.tensors)}, with {facts.profiles} profile{'s' * (facts.profiles > 1)}. "
        f"In TensorRT 8 num_bindings was {len(bindings)}, "
        f"and get_binding_idxs(engine, {facts.active}) gave ({inputs}, {outputs})."
    )


def _tensor_table(facts: EngineFacts) -> str:
    rows = [
        (t.name, t.mode, t.dtype, t.engine_shape, "" if t.low is None else f"{t.low} to {t.high}", t.context_shape)
        for t in facts.tensors
    ]
    columns = ("tensor", "mode", "dtype", "engine shape", f"profile {facts.active} accepts", "context shape")
    return html.table(f"I/O tensors, and a fresh context on profile {facts.active}", columns, rows)


def _index_table(facts: EngineFacts, bindings: Bindings) -> str:
    count, profiles = len(facts.tensors), range(facts.profiles)
    rows = [
        (name, *(f"{k * count + t}: {bindings.name(k * count + t)}" for k in profiles))
        for t, name in enumerate(bindings.tensors)
    ]
    caption = f"TensorRT 8's bindings, index: name ({count} tensors x {facts.profiles} profiles = {len(bindings)})"
    return html.table(caption, ["tensor", *(f"profile {k}" for k in profiles)], rows)


# ---- the widget ---------------------------------------------------------------------------------------------


class EngineExplorer(Panel):
    """Builds an engine with one to three profiles and shows what it says. Every change builds another engine.

    Parameters:
        onnx_model: the bytes of a model that builds in no time: the kernel waits for the builder.
        choices: what can be picked, by a name of yours (any but "none").

    Attributes:
        picks: three dropdowns. ``picks[1].value = "large"`` adds a profile, ``"none"`` takes it away.
        active: a dropdown with the profile of the context.
    """

    title = "Engine explorer"

    def __init__(self, onnx_model: bytes, choices: Mapping[str, Profile]) -> None:
        self._model, self._choices = onnx_model, dict(choices)
        self._engines: dict[tuple[str, ...], trt.ICudaEngine] = {}
        first = labelled(widgets.Dropdown, "first profile", options=list(choices))
        optional = [NO_PROFILE, *choices]
        others = [labelled(widgets.Dropdown, f"{nth} profile", options=optional) for nth in ("second", "third")]
        self.picks = [first, *others]
        self.active = labelled(widgets.Dropdown, "context on profile", options=[0])
        super().__init__([*self.picks, self.active])

    def render(self) -> str:
        """Build the engine if it is new, and describe it."""
        picked = tuple(pick.value for pick in self.picks if pick.value != NO_PROFILE)
        if picked not in self._engines:
            plan = build_plan(self._model, [self._choices[name] for name in picked], progress=False)
            self._engines[picked] = load_engine(plan)
        self._offer(len(picked))
        return render_engine(engine_facts(self._engines[picked], self.active.value))

    def _offer(self, profiles: int) -> None:
        """Let the context be put on the profiles that there are, and on 0 if its own is gone."""
        if len(self.active.options) != profiles:
            active = self.active.value
            self.active.options = range(profiles)  # which chooses the first
            self.active.value = active if active < profiles else 0
