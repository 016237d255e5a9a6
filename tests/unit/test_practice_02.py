"""The checks of lesson 2's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import pytest

import trt_helpers as th
from trt_helpers import trt
from trt_helpers.course import practice


def said(capsys) -> str:
    """What a check printed, without TensorRT's log lines."""
    return "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("["))


def wider(low=(1, 4), opt=(8, 64), high=(32, 128)):
    return th.Profile(ids=(low, opt, high))


def test_the_wider_profile_is_accepted(capsys):
    practice.check_wider(wider())
    assert said(capsys) == "Right. One number less, and short batches fit."


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (..., "Not solved yet"),
        (wider(low=(1, 16)), "ids: the engine refuses (4, 6); it should accept it."),
        (wider(low=(4, 4)), "ids: the engine refuses (1, 4); it should accept it."),
        (wider(low=(0, 4)), "ids: the engine accepts (0, 64); it should refuse it."),
        (wider(low=(1, 1)), "ids: the engine accepts (8, 3); it should refuse it."),
        (wider(high=(48, 128)), "ids: the engine accepts (33, 64); it should refuse it."),
        (wider(opt=(4, 6)), "ids: the range is right, but opt is (4, 6); the likeliest shape is (8, 64)."),
        (wider(low=(8, 64), opt=(1, 4)), "The builder does not take this profile."),
        (th.Profile.same(("ids", "mask"), (1, 4), (8, 64), (32, 128)), "names 'mask', which is not an input"),
        (((1, 4), (8, 64), (32, 128)), "Expected th.Profile(ids=(min, opt, max)), got tuple"),
    ],
)
def test_other_profiles_are_told_why(capsys, profile, words):
    practice.check_wider(profile)
    assert words in said(capsys)


def fitting(engine, shapes, names=None, lower=True, column=2):
    """Pairs (elements, profile) for the profiles that accept the shapes of ``names``."""
    found = []
    for k in range(engine.num_optimization_profiles):
        limits = {name: engine.get_tensor_profile_shape(name, k) for name in shapes}
        inside = [
            (a <= n or not lower) and n <= b
            for name in names or shapes
            for a, n, b in zip(limits[name][0], shapes[name], limits[name][2], strict=True)
        ]
        if all(inside):
            found.append((sum(trt.volume(three[column]) for three in limits.values()), k))
    return found


def tightest(found):
    return min(found)[1] if found else -1


def test_the_tightest_profile_is_accepted(capsys):
    practice.check_choose_profile(lambda engine, shapes: tightest(fitting(engine, shapes)))
    assert said(capsys) == "Right. You know which profile to switch to, and when there is none."


def first(engine, shapes):
    found = fitting(engine, shapes)
    return found[0][1] if found else -1


def one_input(engine, shapes):
    return tightest(fitting(engine, shapes, names=["table"]))


def no_minimum(engine, shapes):
    return tightest(fitting(engine, shapes, lower=False))


def always(index):
    return lambda engine, shapes: index


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (always(...), "Not solved yet"),
        (always(True), "expected an index, got bool"),
        (always("2"), "expected an index, got str"),
        (always(2), "Profile 2 accepts (1,) to (4,) for 'list', not (50,)."),
        (always(-1), "expected 2, got -1. Profile 2 accepts them all."),
        (always(3), "The engine has 3 profiles, numbered from 0."),
        (first, "expected 2, got 0. Profile 0 fits, but profile 2 has fewer elements at max."),
        (one_input, "Profile 2 accepts (1,) to (4,) for 'list', not (50,)."),
        (no_minimum, "Profile 2 accepts (1, 4) to (8, 16) for 'table', not (2, 2)."),
        (lambda engine, shapes: shapes["x"], "your function raised KeyError: 'x'"),
    ],
)
def test_other_choices_are_told_why(capsys, wrong, words):
    practice.check_choose_profile(wrong)
    assert words in said(capsys)


def in_order(engine, tensors):
    return [tensors[engine.get_tensor_name(i)].data_ptr() for i in range(engine.num_io_tensors)]


def test_addresses_in_the_engines_order_are_accepted(capsys):
    practice.check_addresses(in_order)
    assert said(capsys) == "Right. 5 - 2 is 3, whatever the order of the dictionary."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda engine, tensors: ..., "Not solved yet"),
        (
            lambda engine, tensors: [tensor.data_ptr() for tensor in tensors.values()],
            "Place 0: expected the address of 'minuend', got 'rest'. The engine decides the order.",
        ),
        (
            lambda engine, tensors: [tensors[name].data_ptr() for name in sorted(tensors)],
            "Place 0: expected the address of 'minuend', got 'amount'",
        ),
        (
            lambda engine, tensors: in_order(engine, tensors)[:2],
            "Expected 4 addresses, one for each I/O tensor, got 2: minuend, amount.",
        ),
        (lambda engine, tensors: [tensors[name] for name in engine], "Place 0 holds Tensor; an address is an integer"),
        (lambda engine, tensors: [1, 2, 3, 4], "got 'an unknown address'"),
        (lambda engine, tensors: dict(tensors), "Expected a list of addresses, got dict."),
        (lambda engine, tensors: tensors[0], "Your function raised KeyError: 0"),
    ],
)
def test_other_addresses_are_told_why(capsys, wrong, words):
    practice.check_addresses(wrong)
    assert words in said(capsys)


def index(tensors, name):
    tensor, _, profile = name.partition(" [profile ")
    return int(profile.rstrip("]") or 0) * len(tensors) + tensors.index(tensor) if tensor in tensors else -1


def test_the_index_is_accepted(capsys):
    practice.check_binding_index(index)
    assert said(capsys).startswith("Right.")


def one_digit(tensors, name):
    return int(name[-2]) * len(tensors) + tensors.index(name.split(" ")[0]) if "[" in name else index(tensors, name)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda tensors, name: None, "Not solved yet"),
        (lambda tensors, name: tensors.index(name.split(" ")[0]), "'ids [profile 1]' among"),
        (one_digit, "'ids [profile 10]' among"),
        (lambda tensors, name: index(tensors[:3], name), "expected 3, got -1. Each profile has 4 indices."),
        (lambda tensors, name: max(0, index(tensors, name)), "expected -1, got 0. There is no such tensor."),
        (lambda tensors, name: 1 / 0, "For 'ids' your function raised ZeroDivisionError"),
    ],
)
def test_other_indices_are_told_why(capsys, wrong, words):
    practice.check_binding_index(wrong)
    assert words in said(capsys)


def test_the_checks_leave_no_trace(capsys):
    practice.check_choose_profile(lambda engine, shapes: 0)
    assert th.logger.errors == []
