"""Write constraints.txt: the newest release of every package of the environment, as pip resolves it today.

Run by `make constraints`. Nothing is installed. pip resolves pyproject.toml's requirements as if for the
oldest Python that the course supports (some packages already refuse its first releases), and then looks the
same pins up for the newer ones. Needs Python 3.11, because pip judges markers by the Python that runs it.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
HEADER = "# Every package of the environment, pinned. Written by `make constraints` from pyproject.toml.\n"
OLDEST, NEWER = "3.11.0", ("3.12.0", "3.13.0")
EXTRAS = ("dev", "site", "browser", "scale")
# Published as source that only names other packages, which pip cannot resolve for another Python.
SOURCE_ONLY = ("tensorrt-rtx", "tensorrt-rtx-cu13")
# Pinned in pyproject.toml already, and its wheels are gigabytes: not looked up for each Python.
TOO_LARGE = ("torch",)


def requirements() -> list[str]:
    """Return what pyproject.toml asks for: the dependencies, and the extras that make installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [row for extra in EXTRAS for row in project["optional-dependencies"][extra]]
    return project["dependencies"] + extras


def resolve(wanted: list[str], *options: str) -> dict[str, str]:
    """Return the pins that pip would install; pip's own words end the program if it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        if subprocess.run([*command, "--report", str(report), *options, *wanted], cwd=ROOT).returncode:
            sys.exit(f"pip found no answer for {' '.join(options) or 'this Python'}: see above.")
        rows = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return pins_of((row["name"], row["version"]) for row in rows)


def resolve_for(python: str, wanted: list[str], *options: str) -> dict[str, str]:
    """Return the pins for another Python. pip wants wheels and a target, which a dry run leaves empty."""
    with tempfile.TemporaryDirectory() as folder:
        other = ["--python-version", python, "--only-binary", ":all:", "--target", folder]
        return resolve(wanted, *other, *options)


def pins_of(installed: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Turn (name, version) pairs into sorted pins without local suffixes (`+cpu`).

    What torch's CUDA wheels bring along is left out: each of them pins its own, and CPU wheels need none.
    """
    pins = {}
    for name, version in installed:
        plain = name.lower().replace("_", "-")
        if not plain.startswith(("nvidia-", "cuda-", "triton")):
            pins[plain] = version.split("+")[0]
    return dict(sorted(pins.items()))


def main() -> None:
    """Resolve for the oldest Python, look up for the newer ones, write."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("Pins are made with Python 3.11: make constraints PYTHON=python3.11")
    wanted = requirements()
    pins = resolve_for(OLDEST, [row for row in wanted if row not in SOURCE_ONLY])
    pins |= resolve([row for row in wanted if row in SOURCE_ONLY])
    rows = [f"{name}=={version}" for name, version in sorted(pins.items())]
    known = [row for row in rows if row.split("==")[0] not in SOURCE_ONLY + TOO_LARGE]
    for python in NEWER:
        resolve_for(python, known, "--no-deps")
    TARGET.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    print(f"{TARGET.name}: {len(rows)} packages, for Python {', '.join((OLDEST, *NEWER))}")


if __name__ == "__main__":
    main()
