"""The runner of `make test`: it goes on after a failure, counts, and never reads green when it is not."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import run_checks
from tools.run_checks import Result


@pytest.fixture
def parts(monkeypatch):
    results = {
        "good": Result("good", True, passed=3, note="coverage 93 %"),
        "bad": Result("bad", False, passed=1, failed=2, skipped=1),
        "crash": Result("crash", False),
        "empty": Result("empty", True, note="no tests"),
    }
    monkeypatch.setattr(run_checks, "PARTS", {name: lambda row=row: row for name, row in results.items()})


def test_a_line_per_part_and_the_count_last(parts, capsys) -> None:
    assert run_checks.main(["good"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "",
        "good ok 3 passed, coverage 93 %, 0 s",
        "3 passed, 0 failed",
    ]


def test_a_failing_part_stops_no_other(parts, capsys) -> None:
    assert run_checks.main(["bad", "good"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "bad FAILED 1 passed, 2 failed, 1 skipped, 0 s"
    assert lines[2].startswith("good ok") and lines[-1] == "4 passed, 2 failed"


def test_a_part_that_fails_without_a_test_counts_as_one(parts, capsys) -> None:
    assert run_checks.main(["crash", "good"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 1 failed"


def test_nothing_to_run_claims_no_count(parts, capsys) -> None:
    assert run_checks.main(["empty"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "empty ok no tests, 0 s"


def test_a_learners_kept_copy_is_not_run(monkeypatch, tmp_path) -> None:
    for name in ("01_try.mine.ipynb", "01_try.mine-2.ipynb"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(run_checks, "ROOT", tmp_path)
    assert run_checks.notebooks("lessons", ".").note == "none yet"


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """Two notebooks of one cell each in two folders; what pytest would be given is noted and not run."""
    for name in ("notebooks/01_a.ipynb", "notebooks/08_b.ipynb", "notebooks/solutions/08_b.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / name)
    monkeypatch.setattr(run_checks, "ROOT", tmp_path)
    given = []

    def pytest_of(part, *arguments):
        given.extend(argument for argument in arguments if argument.endswith(".ipynb"))
        return Result(part, True, passed=len(given))

    monkeypatch.setattr(run_checks, "pytest", pytest_of)
    return given


def test_lessons_on_ray_are_left_to_the_slow_tier(stored) -> None:
    assert run_checks.PARTS["lessons"]().ok and stored == ["notebooks/01_a.ipynb"]


def test_the_slow_tier_fetches_ray_and_runs_both_notebooks(stored, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(run_checks, "command", lambda *arguments: asked.append(arguments))
    assert run_checks.PARTS["ray"]().ok and asked == [("tools.extras", "scale")]
    assert stored == ["notebooks/08_b.ipynb", "notebooks/solutions/08_b.ipynb"]


@pytest.mark.parametrize("part", ["ray", "slow"])
def test_without_ray_the_slow_tier_fails(stored, monkeypatch, part) -> None:
    monkeypatch.setattr(run_checks, "command", lambda *arguments: 1)
    result = run_checks.PARTS[part]()
    assert (result.ok, result.note, stored) == (False, "packages are missing, see above", [])


def test_an_unknown_part_is_named(parts) -> None:
    with pytest.raises(SystemExit, match="no part is called nonsense; there are good"):
        run_checks.main(["nonsense"])


TESTS = """\
import pytest

def test_good(): pass
def test_bad(): assert 0
def test_skipped(): pytest.skip()
@pytest.fixture
def broken(): 1 / 0
def test_error(broken): pass
"""


@pytest.mark.slow
def test_pytests_own_report_is_counted(tmp_path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    result = run_checks.pytest("part", str(tmp_path))
    assert (result.ok, result.passed, result.failed, result.skipped) == (False, 1, 2, 1)


@pytest.mark.slow
def test_no_test_at_all_is_no_failure(tmp_path) -> None:
    (tmp_path / "test_it.py").write_text("def test_quick(): pass\n")
    result = run_checks.pytest("slow tests", str(tmp_path), "-m", "slow")
    assert (result.ok, result.passed, result.note) == (True, 0, "no tests")


@pytest.mark.slow
def test_a_module_that_does_not_import_fails(tmp_path) -> None:
    (tmp_path / "test_it.py").write_text("import nothing_of_this_name\n")
    result = run_checks.pytest("part", str(tmp_path))
    assert not result.ok and result.failed == 1
