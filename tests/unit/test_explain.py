"""Every text that people meet is recognised, as one row's and no other's; what is unrelated is not known."""

import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import trt_helpers as th
from tools.errors_page import PAGE, page, sections
from tools.notebooks import ROOT
from trt_helpers.errors import TensorRTError, refusals
from trt_helpers.explain import NOT_KNOWN, explain, main, place

LESSONS = {path.name[:2]: path for path in (ROOT / "lessons").glob("*.py")}
ROWS = sorted(refusals())


def quoted(*kinds: str) -> list[tuple[str, str]]:
    """Texts and the rows that answer, from quoted_errors.tsv."""
    lines = Path(__file__).with_name("quoted_errors.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(text, key) for kind, key, text in rows if kind in kinds]


@pytest.mark.parametrize(("text", "key"), quoted("stumble", "quoted"))
def test_every_quoted_text_is_recognised_by_one_row_alone(text, key):
    assert [row.key for row in explain(text).rows] == [key]


@pytest.mark.parametrize(("text", "key"), quoted("quoted"))
def test_a_text_inside_a_log_is_recognised_too(text, key):
    assert explain(f"[11/22/2026-10:38:42] [TRT] [E] {text}\nsome other line").rows[0].key == key


UNRELATED = [
    "",
    "hello",
    "pandas",
    "Loaded engine size: 5 MiB",
    "it returned False.",
    "KeyError: 'input_ids'",
    "ModuleNotFoundError: No module named 'pandas'",
    "AttributeError: 'NoneType' object has no attribute 'split'",
    "AttributeError: 'dict' object has no attribute 'num_bindings'",
    "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    "[W] Use something else instead.",
    "There is no spoon.",
    "IndexError: list index out of range",
    "TypeError: foo(): incompatible function arguments. The following argument types are supported:",
    "Error Code 1: Internal Error",
]


@pytest.mark.parametrize("text", UNRELATED)
def test_what_is_unrelated_is_not_known(text):
    answer = explain(text)
    assert (answer.known, str(answer)) == (False, NOT_KNOWN)


@pytest.mark.parametrize(
    "name", ["IInt8MinMaxCalibrator", "QuantizationFlag", "IAlgorithmSelector", "UffParser", "Foo"]
)
def test_a_name_that_is_gone_is_not_called_missing_from_an_empty_package(name):
    """That only stubs are there says a name which every TensorRT has."""
    assert "tensorrt_is_empty" not in [row.key for row in explain(f"module 'tensorrt' has no attribute '{name}'").rows]


# ---- whole tracebacks and our own errors --------------------------------------------------------------------------


def test_in_a_traceback_the_cause_comes_before_its_consequence():
    answer = explain(
        textwrap.dedent("""
        [E] 1: [stdArchiveReader.cpp::StdArchiveReader::32] Error Code 1: Serialization (Version tag does not match.)
        [checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (cudaError 35: no driver)
        Traceback (most recent call last):
          File "run.py", line 12, in <module>
            context = engine.create_execution_context()
        AttributeError: 'NoneType' object has no attribute 'create_execution_context'
        """)
    )
    assert [row.key for row in answer.rows] == ["plan_version_tag", "engine_is_none"]
    assert "Also in this text: The engine is None" in str(answer)


@pytest.mark.parametrize("key", ROWS)
def test_our_own_errors_are_recognised_by_their_own_words(key):
    row = refusals()[key]
    facts = {name: f"<{name}>" for name in row.needs}
    error = TensorRTError(key, **facts)
    if key in ("refused", "plan_empty", "plan_damaged", "short_bindings"):  # too few words of their own
        return
    assert key in [row.key for row in explain(f"trt_helpers.errors.TensorRTError: {error}").rows]


def test_an_error_as_it_is_raised(context):
    with pytest.raises(th.TensorRTError) as caught:
        th.set_input_shapes(context, {"x": (99, 8)})
    assert [row.key for row in explain(caught.value).rows] == ["shape_out_of_range"]
    without_detail = str(caught.value).splitlines()[0].rpartition(" 99 is")[0]
    assert [row.key for row in explain(without_detail).rows] == ["shape_out_of_range"]


# ---- the answers --------------------------------------------------------------------------------------------------


def test_an_answer_clause_by_clause():
    answer = str(explain("AttributeError: '...ICudaEngine' object has no attribute 'num_bindings'"))
    assert answer == repr(explain("'...ICudaEngine' object has no attribute 'num_bindings'"))
    assert answer.startswith(
        "The binding-index API was removed in TensorRT 10: tensors have names now.\n\nUsual causes:\n"
    )
    assert "\n\nFix:\n    for i in range(engine.num_io_tensors):" in answer
    assert answer.endswith('Shown in lesson 6, "Call by call". Row: index_api_removed')


@pytest.mark.parametrize("key", ROWS)
def test_every_row_has_an_answer(key):
    row = refusals()[key]
    sentence = row.means or row.says
    assert sentence.endswith(".") and "{" not in sentence
    assert row.causes and all(cause.endswith(".") for cause in row.causes)
    assert row.fix and max(map(len, row.fix.splitlines())) <= 110 and "\t" not in row.fix
    assert all(words == words.lower() for words in row.asks)
    assert row.log or row.marks or row.asks or row.says


@pytest.mark.parametrize("key", ROWS)
def test_the_lesson_and_its_heading_exist(key):
    number, _, heading = refusals()[key].lesson.partition(": ")
    assert re.fullmatch(r"[1-8]", number)
    lesson = LESSONS.get(f"0{number}")
    if lesson is not None and heading:
        assert f"\n# ## {heading}\n" in lesson.read_text(encoding="utf-8")
    assert place(refusals()[key]).startswith(f"lesson {number}")


def test_the_package_offers_it():
    assert th.explain is explain and "explain" in th.__all__


@pytest.mark.parametrize("lane", ["", "nonsense", "tensorrt"])
def test_the_command_needs_no_lane_and_no_pytorch(lane):
    """It is asked when nothing works; so nothing of it may be imported. That is also why it answers at once."""
    program = textwrap.dedent("""
        import sys
        from trt_helpers.__main__ import main
        status = main(["explain", "IndexError: Out of bounds"])
        heavy = {"torch", "onnx", "onnxruntime", "numpy", "tensorrt_rtx", "transformers"} & set(sys.modules)
        sys.exit(status if not heavy else f"imported {heavy}")
    """)
    environment = {**os.environ, "TRT_HELPERS_BACKEND": lane, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "Row: engine_index_error" in done.stdout


def test_main_prints_and_tells_whether_it_knew(capsys):
    assert main("IndexError: Out of bounds") == 0
    assert "Row: engine_index_error" in capsys.readouterr().out
    assert main("nothing of the kind") == 1
    assert capsys.readouterr().out.startswith("Not known.")


def test_main_reads_the_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Traceback ...\nIndexError: Out of bounds\n"))
    assert main("-") == 0
    assert "Row: engine_index_error" in capsys.readouterr().out


# ---- the page -----------------------------------------------------------------------------------------------------


def test_the_page_has_every_row_once():
    rows = [row.key for part in sections().values() for row in part]
    assert sorted(rows) == ROWS
    assert page().count("\n### ") == len(ROWS)


def test_the_stored_page_is_the_tables():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.errors_page"
