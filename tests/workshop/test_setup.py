"""Set-up and commands: what the Makefile, the pins and the documents promise, where it is cheap to ask."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.check_python import complaint
from tools.constraints import pins_of
from tools.extras import installed
from tools.notebooks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROWS = [row for row in (ROOT / "constraints.txt").read_text().splitlines() if not row.startswith("#")]
PINS = dict(row.split("==") for row in ROWS)
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(row) for row in PROJECT["dependencies"] + EXTRAS["dev"]]
ASKED_LATER = [Requirement(row) for row in EXTRAS["site"] + EXTRAS["browser"] + EXTRAS["scale"]]


def dry_run(*arguments: str) -> str:
    """Return the commands that make would run, without what a surrounding make passes on."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "PYTHON")}
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lab_listens_to_this_machine_only_and_keeps_jupyters_token() -> None:
    shown = dry_run("lab", "LAB_ARGS=--no-browser --port 8899")
    assert "--ip=127.0.0.1" in shown and "--no-browser --port 8899" in shown
    assert not re.search(r"token|password|disable_check_xsrf|allow_origin", shown)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no user ids on this system")
def test_root_is_allowed_only_when_one_is_root() -> None:
    assert ("--allow-root" in dry_run("lab")) == (os.geteuid() == 0)


def test_a_python_that_has_the_packages_is_used_as_it_is() -> None:
    shown = dry_run("test", f"PYTHON={sys.executable}")
    assert f"{sys.executable} -m tools.run_checks" in shown
    assert "pip" not in shown and "venv .venv" not in shown


def test_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    promised = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert re.findall(r"^  make (\S+)", shown, re.MULTILINE) != []
    assert set(re.findall(r"^  make (\S+)", shown, re.MULTILINE)) == set(promised.split())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_only_targets_that_exist(name) -> None:
    if not (ROOT / name).exists():
        pytest.skip(f"no {name} yet")
    text = (ROOT / name).read_text()
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    promised = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) <= set(promised)


def test_pins_are_exact_and_without_local_suffix() -> None:
    assert [row for row in ROWS if not re.fullmatch(r"[a-z0-9.-]+==\d[\w.]*", row)] == []


@pytest.mark.parametrize("wanted", ASKED + ASKED_LATER, ids=str)
def test_every_dependency_is_pinned_within_its_bounds(wanted) -> None:
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])


@pytest.mark.skipif(not (Path(sys.prefix) / ".ready").exists(), reason="not the environment that make made")
def test_whatever_the_dependencies_bring_along_is_pinned() -> None:
    waiting, seen = ASKED + [wanted for wanted in ASKED_LATER if installed(wanted.name)], set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        key = (name, frozenset(wanted.extras))
        if key in seen or not pins_of([(name, "1")]):  # the CUDA wheels' own are left to them
            continue
        seen.add(key)
        assert name in PINS
        for row in importlib.metadata.requires(name) or []:
            child = Requirement(row)
            extras = [{"extra": extra} for extra in (*wanted.extras, "")]
            if child.marker is None or any(child.marker.evaluate(extra) for extra in extras):
                waiting.append(child)


def test_pins_lose_local_suffixes_and_what_cuda_wheels_bring() -> None:
    rows = [("torch", "2.13.0+cpu"), ("nvidia-cublas", "13.1"), ("triton", "3.5"), ("Ml_Dtypes", "0.6.0")]
    assert pins_of(rows) == {"ml-dtypes": "0.6.0", "torch": "2.13.0"}


@pytest.mark.parametrize(
    ("machine", "clause"),
    [
        (((3, 10), 64, "Linux", "x86_64"), "needs Python 3.11, 3.12 or 3.13 and this is Python 3.10"),
        (((3, 14), 64, "Linux", "x86_64"), "this is Python 3.14"),
        (((3, 12), 32, "Linux", "x86_64"), "needs a 64-bit Python and this one has 32 bits"),
        (
            ((3, 12), 64, "Darwin", "arm64"),
            "Linux and Windows on x86-64 processors, and this is Darwin on arm64",
        ),
        (((3, 12), 64, "Linux", "aarch64"), "this is Linux on aarch64"),
    ],
)
def test_an_unfit_python_is_told_in_one_sentence_what_is_needed(machine, clause) -> None:
    assert clause in complaint(*machine)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
@pytest.mark.parametrize("system", [("Linux", "x86_64"), ("Windows", "AMD64")])
def test_a_fit_python_is_told_nothing(version, system) -> None:
    assert complaint(version, 64, *system) == ""


def test_check_python_and_pyproject_agree() -> None:
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


def test_ci_script_is_strict_and_runs_all_tiers() -> None:
    script = ROOT / ".ci/run"
    text = script.read_text()
    assert os.access(script, os.X_OK) and "set -euo pipefail" in text
    assert re.findall(r"^\s*make (\S+)", text, re.MULTILINE) == ["test", "test-slow", "test-browser"]
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
