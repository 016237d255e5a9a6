import copy
import pickle
from pathlib import Path
from string import Formatter

import pytest
import torch

from trt_helpers import errors
from trt_helpers.errors import TensorRTError, log_line, recognise, refusals

ROWS = sorted(refusals())
# Every fact that a sentence may be filled in with: a misspelt one would be a KeyError in the middle of an error.
FACTS = (
    "asked asked_rank call count detail engine engine_rank expected found given handle index inputs kind "
    "known lane max min missing needed network outputs path plan profile reason shape shapes size strides "
    "tensor tensors wanted what "
).split()


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", ROWS)
def test_every_row_fills_in_from_its_own_placeholders(key):
    row = refusals()[key]
    facts = {name: f"<{name}>" for name in placeholders(row.log + row.says + row.remedy)}
    error = TensorRTError(key, log_line(key, **facts), **facts)
    for name in row.needs:
        assert f"<{name}>" in str(error)
    assert "{" not in str(error) and "}" not in str(error)


@pytest.mark.parametrize("key", ROWS)
def test_every_row_says_what_is_wrong_and_what_to_do_in_sentences(key):
    row = refusals()[key]
    assert row.says and row.remedy.endswith(".")
    assert row.says != row.remedy
    assert isinstance(row.marks, list)


@pytest.mark.parametrize("key", ROWS)
def test_every_row_asks_only_for_facts_that_exist(key):
    assert refusals()[key].needs <= set(FACTS)


@pytest.mark.parametrize("key", ROWS)
def test_log_line_of_each_row_is_recognised_as_that_row(key):
    row = refusals()[key]
    line = log_line(key, **{name: name for name in placeholders(row.log)})
    if any(mark in line for mark in row.marks):  # some rows are known by words that TensorRT puts into {reason}
        assert recognise(line).key == key


@pytest.mark.parametrize(("key", "mark"), [(row.key, mark) for row in refusals().values() for mark in row.marks])
def test_each_mark_belongs_to_one_row_alone(key, mark):
    line = f"[E] IClass::method: Error Code 3: ({mark} In method at /somewhere/x.cpp:123)"
    assert [row.key for row in refusals().values() if any(m in line for m in row.marks)] == [key]
    assert recognise(line).key == key


@pytest.mark.parametrize("line", ["", "Loaded engine size: 5 MiB", "something TensorRT never said"])
def test_nothing_is_recognised_in_other_lines(line):
    assert recognise(line) is None


def test_message_clause_by_clause():
    error = TensorRTError(
        "shape_out_of_range",
        "TensorRT's line",
        tensor="x",
        asked=(9, 4),
        profile=1,
        min=(1, 4),
        max=(8, 16),
        detail="9 is more than 8 in dimension 0.",
    )
    says, remedy, words = str(error).splitlines()
    assert says == "x: (9, 4) is outside profile 1, which accepts (1, 4) to (8, 16). 9 is more than 8 in dimension 0."
    assert remedy.startswith("Send a shape inside the range")
    assert words == "TensorRT's own words: TensorRT's line"
    assert (error.key, error.log) == ("shape_out_of_range", "TensorRT's line")
    assert error.facts["asked"] == (9, 4)


def test_without_a_log_line_nothing_is_put_into_tensorrts_mouth():
    assert "own words" not in str(TensorRTError("plan_missing", plan="a.plan"))


def test_is_a_runtime_error():
    assert isinstance(TensorRTError("plan_missing", plan="a.plan"), RuntimeError)


@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_survives_a_trip_to_another_process(clone):
    error = TensorRTError("wrong_dtype", "words", tensor="x", asked=torch.int32, wanted=torch.int64)
    back = clone(error)
    assert (str(back), back.key, back.log, back.facts) == (str(error), error.key, error.log, error.facts)


def test_braces_in_a_name_are_only_text():
    assert "'{x}'" in str(TensorRTError("unknown_tensor", kind="input", tensor="{x}", known="a{b}"))


def test_no_text_tells_to_install_this_package_from_a_registry():
    """It is in none: what works is the clone, or the package of others by its own name."""
    package = Path(errors.__file__).parent
    for path in [*package.rglob("*.py"), *package.rglob("*.toml")]:
        assert "install 'trt-helpers" not in path.read_text(encoding="utf-8"), path.name
        assert "install trt-helpers" not in path.read_text(encoding="utf-8"), path.name
