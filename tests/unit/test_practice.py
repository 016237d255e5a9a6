"""What holds for the checks of all lessons: whatever a learner writes, they print a verdict and raise nothing."""

import re

import pytest
import torch

from trt_helpers.course import practice

from .conftest import parse

DOUBLER = parse("doubler (float[rows, columns] x) => (float[rows, columns] y) { y = Add(x, x) }")
# Arguments that a check takes beside the learner's answer.
BEFORE = {"check_row_profile": [DOUBLER]}
AFTER = {"check_logits_bytes": 1, "check_complete": 2}


class Contrary:
    """Cannot be compared, printed or counted."""

    def __eq__(self, other):
        raise ValueError("incomparable")

    __repr__ = __len__ = __iter__ = __eq__


ANSWERS = {
    "two numbers": torch.tensor([1, 2]),
    "a number": 7,
    "a word": "seven",
    "a dictionary": {"left": 1, "right": 2},
    "a function that returns two numbers": lambda *arguments: torch.tensor([1, 2]),
    "a function of nothing": lambda: 7,
    "a class": Contrary,
    "a contrary thing": Contrary(),
    "a function that returns it": lambda *arguments: Contrary(),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", practice.__all__)
def test_a_check_raises_nothing(capsys, name, answer):
    check = getattr(practice, name)
    check(*BEFORE.get(name, []), ANSWERS[answer], *[None] * AFTER.get(name, 0))
    assert re.search(r"^Not (solved )?yet", capsys.readouterr().out, re.MULTILINE)  # log lines may come before it


def test_every_check_is_offered():
    assert sorted(name for name in dir(practice) if name.startswith("check_")) == sorted(practice.__all__)
