"""The page about the house speaks of what is there, and its picture is the one that the imports draw."""

import re

import matplotlib.image
import matplotlib.pyplot as plt

from tools import architecture
from tools.notebooks import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_imports_run_downwards():
    height = {name: place[1] for name, (place, _, _) in architecture.ROOMS.items()}
    upwards = [(a, b) for a, b in architecture.arrows() if height[a] <= height[b]]
    assert upwards == []


def test_every_folder_is_a_room():
    folders = {path.parent.name for path in architecture.PACKAGE.glob("*/__init__.py")} - {"cpu_stream"}
    assert folders <= set(architecture.ROOMS)


def test_the_stored_picture_is_todays():
    drawn = architecture.draw()
    drawn.canvas.draw()
    stored = matplotlib.image.imread(architecture.PICTURE)
    width, height = drawn.get_size_inches() * architecture.DPI
    assert stored.shape[:2] == (round(height), round(width))
    same = abs(plt.np.asarray(drawn.canvas.buffer_rgba())[..., :3] / 255 - stored[..., :3]).max(axis=2) < 0.1
    plt.close(drawn)
    assert same.mean() > 0.99, "run python -m tools.architecture"


def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`([a-z_/]+\.(?:py|toml))", PAGE))
    folders = [architecture.PACKAGE, architecture.PACKAGE / "reference", ROOT, ROOT / "tests" / "contract"]
    assert len(named) > 10
    for name in named:
        assert any((folder / name).exists() for folder in folders), name
    for name, function in re.findall(r"`([a-z_/]+\.py): (\w+)`", PAGE):
        path = next(folder / name for folder in folders if (folder / name).exists())
        assert f"def {function}(" in path.read_text(encoding="utf-8"), f"{name}: {function}"
