"""What `make lint` says of the module's size and rooms: each complaint is seen to come."""

import importlib

import pytest
from importlinter.cli import lint_imports

from tools import house
from tools.notebooks import ROOT


def test_only_code_counts():
    code = [
        "import os  # why",
        "",
        "def f(",
        "    a,",
        "):",
        '    """Doc."""',
        "    # comment",
        '    return """a',
        'b"""',
    ]
    source = "\n".join(['"""Doc.', "", 'More."""', "", *code])
    assert house.lines_of_code(source) == 6  # import; def, a, ); return and its second line


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    (folder / "room").mkdir(parents=True)
    for path in (folder / "__init__.py", folder / "room" / "__init__.py"):
        path.write_text('"""One idea."""\n')
    return folder


def test_a_small_package_is_fine(package):
    assert list(house.complaints(package)) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ('"""One idea."""\n' + "x = 1\n" * 300, "301 lines, at most 300"),
        ("x = 1\n", "its first line does not say"),
        ('"""One idea."""\nfrom .other import _hidden\n', "_hidden is another file's own"),
    ],
)
def test_a_file_that_is_not_as_it_should_be(package, source, complaint):
    (package / "room" / "new.py").write_text(source)
    (found,) = house.complaints(package)
    assert found.startswith("package/room/new.py") and complaint in found


def test_too_many_files_at_the_top_and_too_much_code(package, monkeypatch):
    monkeypatch.setattr(house, "MOST_LINES_OF_CODE", 10)
    for i in range(18):
        (package / f"file_{i}.py").write_text('"""One idea."""\nx = 1\n')
    assert list(house.complaints(package)) == [
        "19 files at the top of package, at most 18",
        "18 lines of code in package, at most 10",
    ]


@pytest.mark.parametrize("import_it_upwards", [False, True])
def test_an_import_that_runs_upwards_is_found(tmp_path, monkeypatch, import_it_upwards):
    folder = tmp_path / "house_of_cards"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "top.py").write_text("from . import ground\n")
    hidden = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import top\n"
    (folder / "ground.py").write_text(hidden if import_it_upwards else "")
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    start = config.index("[tool.importlinter]")
    layers = 'layers = ["house_of_cards.top", "house_of_cards.ground"]\n'
    before, _, behind = config[start:].partition("layers = [")
    text = before.replace('"trt_helpers"', '"house_of_cards"') + layers + behind.partition("]\n")[2]
    (tmp_path / "pyproject.toml").write_text(
        text.partition("[tool.ruff")[0].replace('["trt_helpers"]', '["house_of_cards"]')
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    status = lint_imports(config_filename=str(tmp_path / "pyproject.toml"), no_cache=True, no_logo=True)
    assert (status != 0) == import_it_upwards
