"""environment.yml is for conda and a GPU; pyproject.toml is for everybody. They must not drift apart."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pip_part() -> list[str]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = (d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    return pip


def packages(requirements: list[str]) -> set[str]:
    return {r.replace(" ", "") for r in requirements if not r.startswith("-")}


def test_its_pip_part_is_the_project_and_the_extra_gpu():
    extra = project()["optional-dependencies"]["gpu"]
    assert packages(pip_part()) == packages([*project()["dependencies"], *extra])
    assert "--editable ." in pip_part()


def test_its_python_is_the_projects():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert f"python{project()['requires-python']}" in environment["dependencies"]


def test_every_pip_package_but_the_full_tensorrt_is_installed_here():
    pinned = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and line[0] != "#"
    )
    names = {re.split(r"[<>=]", r)[0] for r in packages(pip_part())} - {"tensorrt"}
    assert names <= {name.split(";")[0].strip() for name in pinned}


@pytest.mark.slow
def test_every_pip_package_but_the_full_tensorrt_can_be_installed(tmp_path):
    wanted = sorted(r for r in packages(pip_part()) if not re.match(r"tensorrt[<>=]", r))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--constraint", "constraints.txt"]
    done = subprocess.run([*command, *wanted], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
