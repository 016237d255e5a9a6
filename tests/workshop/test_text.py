"""Text files name no package registry (but PyTorch's index of CPU wheels) and no folder of a machine."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from tools.notebook_checks import MACHINE_PATH
from tools.notebooks import ROOT

# In pieces, so that this file keeps the rule it tests.
PIECES = [
    ("py", "pi.org"),
    ("pythonhosted", ".org"),
    ("py", "pi.nvidia.com"),
    ("npm", "js.org"),
    ("npm", "js.com"),
    ("deb", ".debian.org"),
    ("ana", "conda.org"),
    ("crates", ".io"),
    ("proxy.golang", ".org"),
]
REGISTRY = re.compile("|".join(re.escape(first + second) for first, second in PIECES))
OTHER_TORCH_INDEX = re.compile(r"download\.pytorch\.org(?!/whl/cpu\b)")
# Judged by their own rule (no_machine_paths): base64 pictures can look like anything.
NOT_FOR_PATHS = (".ipynb", ".json")


def complaints(text: str, paths: bool = True) -> Iterator[str]:
    patterns = [REGISTRY, OTHER_TORCH_INDEX] + ([MACHINE_PATH] if paths else [])
    for pattern in patterns:
        for found in pattern.finditer(text):
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {found.group(0)}"


def text_files() -> list[str]:
    """Return the files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return sorted(set(done.stdout.split("\0")) - {""})


def test_text_files_name_no_registry_and_no_machine() -> None:
    found = []
    for name in text_files():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        found += [f"{name}, {row}" for row in complaints(text, not name.endswith(NOT_FOR_PATHS))]
    assert found == []


@pytest.mark.parametrize("pieces", PIECES, ids="".join)
def test_a_registry_is_noticed(pieces) -> None:
    assert list(complaints(f"ok\nsee https://{''.join(pieces)}/simple\n")) == [f"line 2: {''.join(pieces)}"]


@pytest.mark.parametrize("text", ["/" + "home/ann/x", "open('/" + "tmp/a')", "C:\\" + "Users\\ann"])
def test_a_machine_is_noticed(text) -> None:
    assert len(list(complaints(text))) == 1


def test_only_pytorchs_cpu_index_may_be_named() -> None:
    index = "https://download.pytorch" + ".org/whl/"
    assert list(complaints(index + "cpu")) == []
    assert len(list(complaints(index + "cu130"))) == 1


@pytest.mark.parametrize("text", ["notebooks/01.ipynb", "a/tmp/b", "https://example.org/home/x", "/usr/bin/env"])
def test_ordinary_text_is_left_alone(text) -> None:
    assert list(complaints(text)) == []
