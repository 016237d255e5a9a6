"""The build-time rules that the course uses. In every lane the parser and the builder are NVIDIA's (rules 80 to 89)."""

import pytest

from tests.contract.support import FIXED, RELU, SHARED, SMALL, parse
from trt_helpers import logger, trt


def profile_of(builder, **shapes):
    made = builder.create_optimization_profile()
    for name, three in shapes.items():
        made.set_shape(name, *three)
    return made


def try_build(text: str, *profiles: dict):
    builder, network, _parser = parse(text)
    config = builder.create_builder_config()
    for shapes in profiles:
        config.add_optimization_profile(profile_of(builder, **shapes))
    logger.clear()
    return builder.build_serialized_network(network, config)


def test_rule_80_set_shape_accepts_nonsense_and_bool_tells(log):
    builder = trt.Builder(logger)
    bad = profile_of(builder, x=((4, 4), (2, 4), (8, 4)))
    assert log.errors == [] and not bad
    log.refused("IOptimizationProfile::isValid: Error Code 4", "satisfy MIN<=OPT<=MAX", "tensors x,")
    assert bool(builder.create_optimization_profile()) is True


def test_rule_81_an_invalid_profile_is_minus_1(log):
    builder = trt.Builder(logger)
    config = builder.create_builder_config()
    assert config.add_optimization_profile(profile_of(builder, x=((4, 4), (2, 4), (8, 4)))) == -1
    assert any("condition: profile->isValid()" in text for text in log.errors)
    good = profile_of(builder, **SMALL)
    assert [config.add_optimization_profile(good) for _ in range(2)] == [0, 1]
    assert config.num_optimization_profiles == 2
    config.reset()
    assert config.num_optimization_profiles == 0


def test_rule_82_negative_sizes_raise(log):
    made = trt.Builder(logger).create_optimization_profile()
    with pytest.raises(RuntimeError, match="Shape provided for min is inconsistent with other shapes"):
        made.set_shape("x", (-1, 4), (2, 4), (8, 4))
    with pytest.raises(TypeError):
        made.set_shape("x", (1,) * 9, (1,) * 9, (1,) * 9)


@pytest.mark.parametrize(
    "text, profiles, words",
    [
        (RELU, [], "no optimization profile has been defined"),
        (RELU, [{"other": ((1,), (1,), (1,))}], "Dynamic input tensor x is missing dimensions in profile 0."),
        (RELU, [{"x": ((1, 4, 1),) * 3}], "x has 2 dimensions but profile 0 has 3 dimensions."),
        (RELU, [{"x": ((1, 8), (2, 16), (8, 32))}], "Dimension mismatch for tensor x and profile 0. At"),
        (FIXED, [{"x": ((1, 4),) * 3}], "static dimensions that don't match kMIN dimensions in profile index 0"),
    ],
)
def test_rule_83_builds_that_fail_return_none(text, profiles, words, log):
    assert try_build(text, *profiles) is None
    assert any("IBuilder::buildSerializedNetwork: Error Code 4" in error and words in error for error in log.errors)


def test_rule_83_a_shared_dimension_name(log):
    profile = {"a": ((1, 4), (4, 4), (8, 4)), "b": ((1, 4), (5, 4), (8, 4))}
    assert try_build(SHARED, profile) is None
    assert any("Condition '==' violated: 4 != 5" in error for error in log.errors)


def test_rule_84_unknown_names_in_a_profile_are_ignored(log):
    assert try_build(RELU, {**SMALL, "no such input": ((1,), (1,), (1,))}) is not None
    assert try_build(FIXED) is not None


def test_rule_85_the_network_shows_minus_1(log):
    _, network, _parser = parse(RELU)
    assert tuple(network.get_input(0).shape) == (-1, 4)
    assert network.get_input(0).get_dimension_name(0) == "N"
    assert network.get_input(99) is None and log.errors


def test_rule_86_the_parser_returns_false_and_collects_errors(log):
    builder = trt.Builder(logger)
    network = builder.create_network()
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(b"") is True and network.num_inputs == 0
    assert trt.OnnxParser(builder.create_network(), logger).parse(b"no model at all") is False
    assert any("Failed to parse the ONNX model" in error for error in log.errors)


class Monitor(trt.IProgressMonitor):
    def __init__(self, answer):
        trt.IProgressMonitor.__init__(self)
        self.answer, self.started, self.finished = answer, [], []

    def phase_start(self, phase_name, parent_phase, num_steps):
        self.started.append(phase_name)

    def step_complete(self, phase_name, step):
        return self.answer

    def phase_finish(self, phase_name):
        self.finished.append(phase_name)


@pytest.mark.parametrize("answer", [True, False, None])
def test_rule_87_a_progress_monitor_that_does_not_return_true_cancels(answer, log):
    builder, network, _parser = parse(FIXED)
    config = builder.create_builder_config()
    config.progress_monitor = Monitor(answer)
    plan = builder.build_serialized_network(network, config)
    assert (plan is None) is (answer is not True)
    assert sorted(config.progress_monitor.started) == sorted(config.progress_monitor.finished) != []


def test_rule_89_a_second_logger_still_gets_its_own_objects_messages():
    class Other(trt.ILogger):
        def __init__(self):
            trt.ILogger.__init__(self)
            self.lines = []

        def log(self, severity, msg):
            self.lines.append(msg)

    trt.Runtime(logger)
    other = Other()
    assert trt.Runtime(other).deserialize_cuda_engine(b"") is None
    assert any("empty memory buffer" in line for line in other.lines)


def test_host_memory():
    plan = try_build(FIXED)
    assert plan.nbytes == len(bytes(plan)) and plan.dtype == trt.DataType.INT8
