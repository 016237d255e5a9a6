"""What `make site` and `make test-browser` do about packages and a browser that are not there."""

import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from tools import chromium, extras
from tools.notebooks import ROOT


@pytest.fixture
def few_packages(monkeypatch):
    """Two packages are installed, one of them not as pinned; commands are noted and not run."""
    monkeypatch.setattr(extras, "wanted", lambda names: [Requirement(name) for name in ("sphinx", "furo", "MyST-NB")])
    monkeypatch.setattr(extras, "installed", {"sphinx": "1.0", "furo": "2.0"}.get)
    monkeypatch.setattr(extras, "pins", lambda: {"sphinx": "1.0", "furo": "2.1", "myst-nb": "3.0"})
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_into_our_venv_goes_what_is_missing_or_not_as_pinned(few_packages, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    assert extras.main(["site"]) == 0
    assert few_packages == [[sys.executable, *extras.PIP, "--constraint", "constraints.txt", "MyST-NB", "furo"]]
    assert "Installing into .venv: MyST-NB, furo." in capsys.readouterr().out


def test_into_another_python_goes_nothing_and_it_is_said_what_is_missing(few_packages, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "prefix", "elsewhere")
    assert extras.main(["site"]) == 1 and few_packages == []
    said = capsys.readouterr().out
    assert "lacks MyST-NB." in said and "-m pip install --constraint constraints.txt MyST-NB\n" in said


def test_nothing_is_said_when_all_is_there(few_packages, monkeypatch, capsys) -> None:
    monkeypatch.setattr(extras, "installed", {"sphinx": "1.0", "furo": "2.1", "MyST-NB": "3.0"}.get)
    for prefix in ("elsewhere", str(ROOT / ".venv")):
        monkeypatch.setattr(sys, "prefix", prefix)
        assert extras.main(["site"]) == 0
    assert few_packages == [] and capsys.readouterr().out == ""


def test_the_extras_are_those_of_the_project() -> None:
    assert {row.name for row in extras.wanted(["site", "browser"])} == {"furo", "myst-nb", "sphinx", "playwright"}


@pytest.fixture
def no_browser(monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "find", lambda: None)
    ran = []

    def run(command, **options):
        ran.append(command)
        return subprocess.CompletedProcess(command, 100, "", "E: no such package")

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_without_root_or_apt_it_is_said_what_to_install(no_browser, monkeypatch, capsys) -> None:
    monkeypatch.setattr(chromium, "may_install", lambda: False)
    assert chromium.main() == 1 and no_browser == []
    assert "as root:\n  apt-get update && apt-get install chromium" in capsys.readouterr().out


def test_apt_is_asked_for_news_first_and_its_failure_is_shown(no_browser, monkeypatch, capsys) -> None:
    monkeypatch.setattr(chromium, "may_install", lambda: True)
    assert chromium.main() == 1 and no_browser == [["apt-get", "update"]]
    assert "apt-get update failed:\nE: no such package" in capsys.readouterr().out


def test_a_named_browser_that_is_not_there_is_not_replaced(no_browser, monkeypatch) -> None:
    monkeypatch.setenv("CHROMIUM", "no-such-program")
    monkeypatch.setattr(chromium, "may_install", lambda: True)
    assert chromium.main() == 1 and no_browser == []


def test_a_browser_that_is_there_is_taken(monkeypatch) -> None:
    monkeypatch.setenv("CHROMIUM", sys.executable)
    assert chromium.find() == sys.executable and chromium.main() == 0
