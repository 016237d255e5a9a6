"""Random sequences of calls against a model of a context's state that fits on a page.

The model knows what each call has to return, what the context has to show afterwards, and what an execution has to
compute. It shares no code with the reference runtime.
"""

import random
from dataclasses import dataclass, field

import pytest
import torch

from tests.contract.support import model
from trt_helpers import Stream, device, lane, logger, trt

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is one of the development packages")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(lane.name != "reference" or device.type != "cpu", reason="the reference lane on the CPU"),
]

SEQUENCES = 2000
GRAPH = "g (float[N,4] a, float[M,4] b) => (float[K,4] c, float[N,4] d) { c = Concat <axis = 0> (a, b) d = Relu(a) }"
INPUTS, OUTPUTS = ("a", "b"), ("c", "d")

# ---- what is drawn: profile sets and calls -------------------------------------------------------------------


def random_profiles(dice: random.Random) -> tuple:
    """One to three profiles; for each input the smallest and the largest number of rows."""

    def rows() -> tuple[int, int]:
        return tuple(sorted((dice.randrange(5), dice.randrange(5))))

    return tuple((rows(), rows()) for _ in range(dice.randrange(1, 4)))


# Engines take longer to make than a sequence takes to play, so a hundred of them are drawn from.
profile_sets = st.sampled_from([random_profiles(random.Random(seed)) for seed in range(100)])
shapes = st.one_of(
    st.tuples(st.integers(-1, 5), st.just(4)),
    st.sampled_from([(2, 5), (2,), (), (2, 4, 1), (1,) * 8]),
)
steps = st.one_of(
    st.tuples(st.just("shape"), st.sampled_from(["a", "b", "a", "b", "c", "no"]), shapes),
    st.tuples(st.just("shape"), st.sampled_from(INPUTS), st.tuples(st.integers(0, 4), st.just(4))),
    st.tuples(st.just("profile"), st.integers(-1, 3), st.none()),
    st.tuples(st.just("address"), st.sampled_from([*INPUTS, *OUTPUTS, "no"]), st.sampled_from([0, 1, 1, 1])),
    st.tuples(st.just("execute"), st.none(), st.none()),
)


# ---- the model -----------------------------------------------------------------------------------------------


@dataclass
class Model:
    profiles: tuple
    profile: int = 0
    shapes: dict = field(default_factory=dict)
    bound: dict = field(default_factory=dict)

    def shown(self, name: str) -> tuple:
        """An input's shape: what was set, else what the profile leaves no choice for."""
        low, high = self.profiles[self.profile][INPUTS.index(name)]
        return self.shapes.get(name, (low, 4) if low == high else (-1, 4))

    def output(self, name: str) -> tuple:
        a, b = self.shown("a")[0], self.shown("b")[0]
        if name == "d":
            return (a, 4)
        return (-1, 4) if -1 in (a, b) else (a + b, 4)

    def unset(self) -> list:
        return [name for name in INPUTS if -1 in self.shown(name)]

    def set_shape(self, name: str, shape: tuple) -> bool:
        if name not in INPUTS or len(shape) != 2 or shape[1] != 4:
            return False
        low, high = self.profiles[self.profile][INPUTS.index(name)]
        if not low <= shape[0] <= high:
            return False
        self.shapes[name] = shape
        return True

    def switch(self, index: int) -> bool:
        if not 0 <= index < len(self.profiles):
            return False
        if index != self.profile:
            self.profile, self.shapes = index, {}
        return True

    def set_address(self, name: str, address: int) -> bool:
        if name not in (*INPUTS, *OUTPUTS):
            return False
        self.bound[name] = address
        return True

    def may_execute(self) -> bool:
        return not self.unset() and all(self.bound.get(name) for name in (*INPUTS, *OUTPUTS))


# ---- the runtime beside it -----------------------------------------------------------------------------------

_engines: dict = {}


def engine_for(profiles: tuple):
    if profiles not in _engines:
        made = [
            {name: ((low, 4), (high, 4), (high, 4)) for name, (low, high) in zip(INPUTS, rows, strict=True)}
            for rows in profiles
        ]
        plan = trt.plan_from_onnx_alone(model(GRAPH), made, logger)
        _engines[profiles] = trt.Runtime(logger).deserialize_cuda_engine(plan)
    return _engines[profiles]


BUFFERS = {"a": torch.randn(4, 4), "b": torch.randn(4, 4), "c": torch.zeros(8, 4), "d": torch.zeros(4, 4)}


def play(context, expected: Model, step: tuple, stream: Stream) -> None:
    """Make one call and compare what it returns."""
    kind, what, value = step
    if kind == "shape":
        assert context.set_input_shape(what, value) is expected.set_shape(what, value)
    elif kind == "address":
        address = BUFFERS[what].data_ptr() if value and what in BUFFERS else value
        assert context.set_tensor_address(what, address) is expected.set_address(what, address)
    elif kind == "profile":
        if expected.switch(what):
            assert context.set_optimization_profile_async(what, stream.handle) is True
        else:
            with pytest.raises(RuntimeError):
                context.set_optimization_profile_async(what, stream.handle)
    else:
        execute(context, expected, stream)


def execute(context, expected: Model, stream: Stream) -> None:
    for name in OUTPUTS:
        BUFFERS[name].fill_(-999)
    assert context.execute_async_v3(stream.handle) is expected.may_execute()
    stream.synchronize()
    c, d = torch.full((8, 4), -999.0), torch.full((4, 4), -999.0)
    if expected.may_execute():
        a, b = BUFFERS["a"][: expected.shown("a")[0]], BUFFERS["b"][: expected.shown("b")[0]]
        c[: len(a) + len(b)] = torch.cat([a, b])
        d[: len(a)] = a.relu()
    assert torch.equal(BUFFERS["c"], c) and torch.equal(BUFFERS["d"], d)  # and nothing beyond the shapes is touched


def compare(context, expected: Model) -> None:
    """All that a context shows."""
    assert context.active_optimization_profile == expected.profile
    for name in INPUTS:
        assert context.get_tensor_shape(name) == expected.shown(name)
    for name in OUTPUTS:
        assert context.get_tensor_shape(name) == expected.output(name)
    for name in (*INPUTS, *OUTPUTS):
        assert context.get_tensor_address(name) == expected.bound.get(name, 0)
    assert context.infer_shapes() == expected.unset()


played = 0


@settings(
    max_examples=SEQUENCES, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
@given(profile_sets, st.lists(steps, min_size=1, max_size=14))
def check_one_sequence(profiles, sequence):
    global played
    played += 1
    context, expected, stream = engine_for(profiles).create_execution_context(), Model(profiles), default
    for step in sequence:
        play(context, expected, step, stream)
        compare(context, expected)


default = None


def test_random_sequences_of_calls():
    global default
    default, shown, logger.show = Stream(), logger.show, None
    try:
        check_one_sequence()
    finally:
        logger.show = shown
    assert played >= SEQUENCES
