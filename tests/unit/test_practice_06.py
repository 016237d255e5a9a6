"""The checks of lesson 6 accept what is right, and tell plausible mistakes what is wrong."""

import pytest
import torch

import trt_helpers as th
from trt_helpers import legacy
from trt_helpers.course import practice

pytestmark = pytest.mark.filterwarnings("ignore:Use .* instead:DeprecationWarning")


def as_wanted(engine, tensors):
    return {name: tensor.to(th.to_torch_dtype(engine.get_tensor_dtype(name))) for name, tensor in tensors.items()}


def said(capsys) -> str:
    return capsys.readouterr().out


def test_the_number_is_accepted(capsys):
    practice.check_number(2 * 4 + 3)
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (3, "Binding 3 is 'scores'. Count the profiles from 0."),
        (7, "Binding 7 is 'scores [profile 1]'."),
        (8, "Binding 8 is 'image [profile 2]'."),
        (12, "There is no binding 12: 3 profiles of 4 tensors are numbered 0 to 11."),
        (-1, "There is no binding -1"),
        ("11", "A binding's number is an integer, yours is str."),
        (11.0, "A binding's number is an integer, yours is float."),
        (True, "A binding's number is an integer, yours is bool."),
    ],
)
def test_other_numbers_are_told_why(capsys, number, words):
    practice.check_number(number)
    out = said(capsys)
    assert out.startswith("Not yet.") and words in out


def test_right_types_are_accepted(capsys):
    practice.check_as_wanted(as_wanted)
    assert said(capsys).startswith("Right.")


def reinterpreted(engine, tensors):
    wide = as_wanted(engine, tensors)
    return {**wide, "types": tensors["types"].view(torch.int32)[:2]}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda e, t: t, "'ids' is torch.int32, the engine wants torch.int64"),
        (lambda e, t: {n: x.int() for n, x in t.items()}, "'ids' is torch.int32, the engine wants torch.int64"),
        (lambda e, t: {n: x.long() for n, x in t.items()}, "'types' is torch.int64, the engine wants torch.int32"),
        (lambda e, t: {**as_wanted(e, t), "weights": t["weights"]}, "'weights' is torch.float32"),
        (reinterpreted, "'types' has the right type and other values than before"),
        (
            lambda e, t: list(as_wanted(e, t).values()),
            "Expected a dictionary with the keys ids, types, weights, got list",
        ),
        (lambda e, t: {"ids": as_wanted(e, t)["ids"]}, "got the keys ids."),
        (lambda e, t: {n: x.tolist() for n, x in t.items()}, "'ids' should be a tensor, it is list"),
        (lambda e, t: {n: x.to(e.get_tensor_dtype(n)) for n, x in t.items()}, "Your function raised TypeError"),
    ],
)
def test_wrong_types_are_told_why(capsys, wrong, words):
    practice.check_as_wanted(wrong)
    out = said(capsys)
    assert out.startswith("Not yet.") and words in out


def ported(engine, inputs, profile_index, dtype=None):
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_optimization_profile_async(profile_index, stream.handle)
    stream.synchronize()
    for name, tensor in inputs.items():
        assert context.set_input_shape(name, tuple(tensor.shape))
    outputs = {n: t.to(dtype) if dtype else t for n, t in th.allocate_outputs(context).items()}
    for name, tensor in {**inputs, **outputs}.items():
        assert context.set_tensor_address(name, tensor.data_ptr())
    assert context.execute_async_v3(stream.handle)
    stream.synchronize()
    return outputs


def without_the_profile(engine, inputs, profile_index):
    return ported(engine, inputs, 0)


def by_position(engine, inputs, profile_index):
    names = [engine.get_tensor_name(i) for i in range(2)]
    return ported(engine, dict(zip(names, inputs.values(), strict=True)), profile_index)


def unread_outputs(engine, inputs, profile_index):
    return {name: torch.zeros_like(tensor) for name, tensor in ported(engine, inputs, profile_index).items()}


def on_the_old_view(engine, inputs, profile_index):
    engine = legacy.view(engine)
    context, numbers = engine.create_execution_context(), th.get_binding_idxs(engine, profile_index)
    return th.infer_tensorrt(context, inputs, *numbers)  # the profile is never set


def test_a_right_port_is_accepted(capsys):
    practice.check_ported(ported)
    assert said(capsys).startswith("Right.")


def test_the_helper_is_accepted_too(capsys):
    def short(engine, inputs, profile_index):
        context, stream = engine.create_execution_context(), th.Stream()
        context.set_optimization_profile_async(profile_index, stream.handle)
        stream.synchronize()
        return th.infer(context, inputs)

    practice.check_ported(short)
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (without_the_profile, "In profile 1, shape (10, 6), yours raised AssertionError"),
        (by_position, "'difference' has the right shape and wrong values"),
        (unread_outputs, "Is the work done when you read it"),
        (
            lambda e, i, k: ported(e, i, k)["difference"],
            "Expected a dictionary with the outputs difference, counted, got Tensor",
        ),
        (lambda e, i, k: {"difference": ported(e, i, k)["difference"]}, "got the keys difference."),
        (lambda e, i, k: ported(e, i, k, dtype=torch.float32), "'counted' is torch.float32, expected torch.int32"),
        (on_the_old_view, "Binding 4 is not one of profile 0"),
    ],
)
def test_wrong_ports_are_told_why(capsys, wrong, words):
    practice.check_ported(wrong)
    out = said(capsys)  # what the lane logged comes before it
    assert "\nNot yet." in f"\n{out}" and words in out


def test_an_untouched_number_is_met_kindly(capsys):
    practice.check_number(...)
    assert said(capsys).startswith("Not solved yet")


@pytest.mark.parametrize("stub", [lambda *a: ..., lambda *a: None])
@pytest.mark.parametrize("check", [practice.check_as_wanted, practice.check_ported])
def test_an_untouched_stub_is_met_kindly(capsys, check, stub):
    check(stub)
    assert said(capsys).startswith("Not solved yet")
