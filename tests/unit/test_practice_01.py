"""The checks of lesson 1's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import pytest
import torch

import trt_helpers as th
from trt_helpers.course import practice

from .conftest import parse

DOUBLER = parse("doubler (float[rows, columns] x) => (float[rows, columns] y) { y = Add(x, x) }")
PROFILE = ((1, 10), (8, 10), (32, 10))


def said(capsys) -> str:
    """What a check printed, without TensorRT's log lines."""
    return "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("["))


def test_the_profile_is_accepted(capsys):
    practice.check_row_profile(DOUBLER, th.Profile(x=PROFILE))
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (..., "Not solved yet"),
        ([PROFILE], "Expected th.Profile(x=(min, opt, max)), got list"),
        (th.Profile(x=((1, 10), (8, 10), (31, 10))), "x: the engine refuses (32, 10); it should accept it"),
        (th.Profile(x=((0, 10), (8, 10), (32, 10))), "x: the engine accepts (0, 10); it should refuse it"),
        (th.Profile(x=((1, 10), (8, 10), (64, 10))), "x: the engine accepts (33, 10)"),
        (th.Profile(x=((1, 10), (8, 10), (32, 16))), "x: the engine accepts (4, 11); it should refuse it"),
        (th.Profile(x=((1, 10), (32, 10), (32, 10))), "opt is (32, 10); the likeliest shape is (8, 10)"),
        (th.Profile(x=((8, 10), (1, 10), (32, 10))), "The builder does not take this profile."),
        (th.Profile(rows=PROFILE), "names 'rows', which is not an input"),
        (th.Profile(x=(1, 8, 32)), "expected three shapes"),
    ],
)
def test_other_profiles_are_told_why(capsys, profile, words):
    practice.check_row_profile(DOUBLER, profile)
    assert words in said(capsys)


def run(engine, x, shape=None, dtype=None, execute=True):
    name_in, name_out = (engine.get_tensor_name(i) for i in range(2))
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_input_shape(name_in, tuple(x.shape))
    dtype = dtype or th.to_torch_dtype(engine.get_tensor_dtype(name_out))
    # Never smaller than what is written.
    memory = torch.zeros(tuple(context.get_tensor_shape(name_out)), dtype=torch.float64, device=x.device)
    context.set_tensor_address(name_in, x.data_ptr())
    context.set_tensor_address(name_out, memory.data_ptr())
    if execute:
        context.execute_async_v3(stream.handle)
        stream.synchronize()
    result = memory.flatten().view(dtype)[: memory.numel()]
    return result.reshape(shape or memory.shape)


def test_a_run_is_accepted(capsys):
    practice.check_run(run)
    assert said(capsys).startswith("Right.")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda engine, x: ..., "Not solved yet"),
        (lambda engine, x: None, "Not solved yet"),
        (lambda engine, x: 1 / 0, "your function raised ZeroDivisionError"),
        (lambda engine, x: run(engine, x).tolist(), "'counted' should be a tensor, it is list"),
        (lambda engine, x: run(engine, x, shape=x.shape), "Ask the context for it"),
        (lambda engine, x: run(engine, x, dtype=x.dtype), "expected torch.int32. The engine knows: get_tensor_dtype"),
        (lambda engine, x: run(engine, x, execute=False), "the right shape and wrong values. Is the work done"),
    ],
)
def test_other_runs_are_told_why(capsys, wrong, words):
    practice.check_run(wrong)
    assert words in said(capsys)


def run_without_waiting(engine, x):
    """The solution of exercise 2 without its ``synchronize``."""
    name_in, name_out = (engine.get_tensor_name(i) for i in range(2))
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_input_shape(name_in, tuple(x.shape))
    dtype = th.to_torch_dtype(engine.get_tensor_dtype(name_out))
    result = torch.empty(tuple(context.get_tensor_shape(name_out)), dtype=dtype, device=x.device)
    context.set_tensor_address(name_in, x.data_ptr())
    context.set_tensor_address(name_out, result.data_ptr())
    context.execute_async_v3(stream.handle)
    return result


def test_who_does_not_wait_is_told_so_and_nothing_crashes(capsys):
    told = 0
    for _ in range(5):  # a race: on a busy machine the reader may lose one
        practice.check_run(run_without_waiting)
        told += "wrong values. Is the work done when you read it" in capsys.readouterr().out
    assert told or th.device.type == "cuda"  # a GPU has usually won before Python looks
