"""See to it that the packages of an extra are there: python -m tools.extras site browser

In .venv, which make looks after, what is missing or not as pinned is installed. In any other Python nothing is: it is
said what to install.
"""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.notebooks import ROOT

PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
PINNED = ["--constraint", "constraints.txt"]


def wanted(extras: list[str]) -> list[Requirement]:
    """Return what pyproject.toml lists under these extras."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return [Requirement(row) for extra in extras for row in known[extra]]


def installed(name: str) -> str | None:
    """Return the version of a package in this Python, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def pins() -> dict[str, str]:
    """Return the pinned version of every package."""
    rows = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(row.split("==") for row in rows if not row.startswith("#"))


def missing(requirements: list[Requirement], exact: bool) -> list[str]:
    """Return which requirements are not met; with `exact`, any version but the pinned one does not do."""
    pinned = pins()
    found = {row.name: installed(row.name) for row in requirements}
    lacks = [name for name, have in found.items() if have is None]
    others = [name for name, have in found.items() if have and exact and have != pinned[canonicalize_name(name)]]
    return lacks + others


def main(extras: list[str]) -> int:
    """Install or say what is missing; return the exit status."""
    ours = Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()
    names = missing(wanted(extras), exact=ours)
    if not names:
        return 0
    if not ours:
        print(f"This Python lacks {', '.join(names)}. Nothing is installed into a Python that you brought yourself:")
        print(f"  {Path(sys.executable).name} -m pip install --constraint constraints.txt {' '.join(names)}")
        return 1
    print(f"Installing into .venv: {', '.join(names)}.", flush=True)
    return subprocess.run([sys.executable, *PIP, *PINNED, *names], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
