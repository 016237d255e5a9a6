"""Checks for the exercises of lesson 1."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...building.plan import Profile
from ...lanes import device, trt
from ...streams import synchronize_all
from .profiles import expect_profile
from .verdicts import answer, engine_of, expect_equal, never_raises, solved, touched


@never_raises
def check_row_profile(doubler: bytes, profile: object) -> None:
    """Lesson 1, exercise 1: accepts 1 to 32 rows of exactly 10 columns, tuned for 8 rows."""
    wanted = {(1, 10): True, (32, 10): True, (33, 10): False, (0, 10): False, (4, 9): False, (4, 11): False}
    expect_profile(doubler, "x", touched(profile), wanted, (8, 10))
    solved("1 to 32 rows of 10 columns, tuned for 8.")


# Its output has another name, shape and dtype than its input: whoever copied the input's is found out.
_unseen = engine_of(
    """
    unseen (float[height, width] picture) => (int32[width, height] counted) {
        turned = Transpose <perm = [1, 0]> (picture)
        counted = Cast <to = 6> (turned)
    }
    """,
    Profile(picture=((1, 1), (4, 4), (4096, 4096))),
)


@never_raises
def check_run(run: Callable[[trt.ICudaEngine, torch.Tensor], torch.Tensor]) -> None:
    """Lesson 1, exercise 2: ``run(engine, x)`` works on an engine that it has never seen."""
    kept = []
    try:
        # The large one first: whoever does not wait for it reads it long before it is there.
        for shape in [(4096, 4096), (2, 3), (5, 1)]:
            picture = torch.arange(float(shape[0] * shape[1])).reshape(shape)
            expected = picture.T.to(torch.int32).to(device)  # now: nothing may delay the comparison
            kept += [picture.to(device)]
            kept += [answer(run, _unseen(), kept[-1], who=f"For an input of shape {shape} your function")]
            expect_equal("counted", kept[-1], expected, f"For an input of shape {shape}: ")
        solved("It runs an engine that it had never seen, in three shapes.")
    finally:
        synchronize_all()  # work that nobody waited for may still write to the kept tensors
