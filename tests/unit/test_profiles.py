"""Profiles as a table and as a picture."""

import io

import matplotlib.image
import numpy as np

import trt_helpers as th
from trt_helpers import course

from .conftest import parse

MIXED = parse(
    "mixed (float[rows, 4] x, float[4] fixed, float[n] list) => (float[rows, 4] y, float[n] z)"
    " { y = Add(x, fixed)  z = Neg(list) }"
)
PROFILES = [
    th.Profile(x=((1, 4), (2, 4), (8, 4)), list=((1,), (2,), (3,))),
    th.Profile(x=((1, 4), (16, 4), (64, 4)), list=((4,), (5,), (6,))),
]


def test_describe_profiles():
    table = th.describe_profiles(th.load_engine(th.build_plan(MIXED, PROFILES)))
    assert list(table.columns) == ["min", "opt", "max"]
    assert list(table.index) == [(0, "x"), (0, "list"), (1, "x"), (1, "list")]  # "fixed" leaves no choice
    assert list(table.loc[(1, "x")]) == ["(1, 4)", "(16, 4)", "(64, 4)"]
    assert list(table.loc[(1, "list")]) == ["(4,)", "(5,)", "(6,)"]


def test_describe_profiles_of_a_static_engine():
    model = parse("static (float[2, 4] x) => (float[2, 4] y) { y = Neg(x) }")
    table = th.describe_profiles(th.load_engine(th.build_plan(model)))
    assert len(table) == 0
    assert list(table.columns) == ["min", "opt", "max"]


BOXES = [((1, 4), (1, 16), (1, 32)), ((1, 16), (8, 64), (32, 128))]


def pixels(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG")
    return matplotlib.image.imread(io.BytesIO(png))


def test_a_picture_of_profiles():
    drawn = pixels(course.draw_profiles(BOXES, {(1, 9): [0], (1, 24): [0, 1], (48, 64): []}))
    assert drawn.shape[:2] == (420, 800)


def test_the_same_data_gives_the_same_picture():
    requests = {(8, 64): [1]}
    assert course.draw_profiles(BOXES, requests) == course.draw_profiles(BOXES, requests)


def test_each_profile_and_each_request_is_drawn():
    none = pixels(course.draw_profiles(BOXES, {}))
    without = pixels(course.draw_profiles(BOXES[1:], {}))
    one = pixels(course.draw_profiles(BOXES, {(8, 64): [1]}))
    other = pixels(course.draw_profiles(BOXES, {(8, 64): []}))
    for left, right in [(none, without), (none, one), (one, other)]:
        assert not np.array_equal(left, right)


def test_more_profiles_than_styles_and_more_fits_than_markers():
    assert pixels(course.draw_profiles(BOXES * 2, {(1, 16): [0, 1, 2, 3]})).shape[:2] == (420, 800)
