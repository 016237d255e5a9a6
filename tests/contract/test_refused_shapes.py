"""Shapes that set_input_shape refuses (rules 24 to 30)."""

from tests.contract.support import LARGE, RELU, SHARED, SMALL, address, context, execute, tensor
from trt_helpers import lane

METHOD = "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, condition: "


def test_rule_24_out_of_range(log):
    ctx = context(RELU, SMALL)
    assert ctx.set_input_shape("x", (9, 4)) is False
    log.refused(
        METHOD + "satisfyProfile",
        "Set dimension [9,4] for tensor x does not satisfy any optimization profiles.",
        "Valid range for profile 0: [1,4]..[8,4]",
    )


def test_rule_25_static_dimension(log):
    assert context(RELU, SMALL).set_input_shape("x", (2, 5)) is False
    log.refused(
        METHOD + "engineDims.d[i] == dims.d[i]",
        "Static dimension mismatch while setting input shape for x.",
        "Set dimensions are [2,5]. Expected dimensions are [-1,4].",
    )


def test_rule_26_wrong_rank(log):
    ctx = context(RELU, SMALL)
    for shape in ((2,), (2, 4, 1), ()):
        assert ctx.set_input_shape("x", shape) is False
        log.refused(METHOD + "engineDims.nbDims == dims.nbDims")


def test_rule_27_negative(log):
    assert context(RELU, SMALL).set_input_shape("x", (-1, 4)) is False
    log.refused("IExecutionContext::setInputShape: Error Code 3")


def test_rule_28_the_old_shape_stays_and_runs(log):
    ctx, x, y = context(RELU, SMALL), tensor(2, 4), tensor(2, 4, fill=-999)
    assert ctx.set_input_shape("x", (2, 4))
    assert ctx.set_input_shape("x", (0, 4)) is False and ctx.get_tensor_shape("x") == (2, 4)
    assert ctx.set_tensor_address("x", address(x)) and ctx.set_tensor_address("y", address(y))
    execute(ctx)
    assert (y == x.relu()).all()


def test_rule_28_nothing_was_set(log):
    ctx = context(RELU, SMALL)
    assert ctx.set_input_shape("x", (0, 4)) is False and ctx.get_tensor_shape("x") == (-1, 4)


def test_rule_29_every_range_is_named(log):
    """Whether a shape of another profile is refused is not known for TensorRT; here only the active one counts."""
    ctx = context(RELU, SMALL, LARGE)
    assert ctx.set_input_shape("x", (99, 4)) is False
    log.refused("Valid range for profile 0: [1,4]..[8,4]", "Valid range for profile 1: [8,4]..[32,4]")
    if lane.name == "reference":
        assert ctx.set_input_shape("x", (16, 4)) is False


def test_rule_30_true_is_about_one_input(log):
    rows = ((1, 4), (2, 4), (8, 4))
    ctx = context(SHARED, {"a": rows, "b": rows})
    assert ctx.set_input_shape("a", (2, 4)) is True and ctx.set_input_shape("b", (3, 4)) is True
    assert log.errors == []
