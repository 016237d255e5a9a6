"""The sources that Sphinx reads: copies of what readers read, laid out as in the repository."""

import re
import shutil
from pathlib import Path

import nbformat

from tools.site.contents import LANGUAGES, MODULE, SOLVED, Contents
from tools.site.links import mended, relative, with_places
from tools.site.outputs import make_readable

NAVIGATION = "```{{toctree}}\n:caption: {}\n:hidden:\n\n{}\n```\n"
LIST = "# {}\n\n{}\n\n```{{toctree}}\n:maxdepth: 1\n\n{}\n```\n"
ABOUT_SOLVED = "Every lesson again, with its exercises solved and the checks passed. Try them yourself first."
ABOUT_MODULE = "The lessons import this module. Each of its files has one idea and can be read in one sitting."


def write_all(contents: Contents, target: Path) -> None:
    """Write every page below the folder `target`."""
    for name in contents.lessons:
        write(target / name, notebook(name, contents))
    for name in contents.solved:
        write(target / name, solved_notebook(name, contents))
    for name in contents.texts:
        write(target / name, mended((contents.root / name).read_text(encoding="utf-8"), name, contents))
    for name in contents.code:
        write(target / f"{name}.md", source_page(name, contents.root))
    write(target / "index.md", landing(contents))
    write(target / SOLVED / "index.md", listing("Solved lessons", ABOUT_SOLVED, SOLVED, contents.solved))
    files = [f"{name}.md" for name in contents.code]
    write(target / MODULE / "index.md", listing("The module trt_helpers", ABOUT_MODULE, MODULE, files))
    if (contents.root / "notebooks/images").is_dir():
        shutil.copytree(contents.root / "notebooks/images", target / "notebooks/images")
    for picture in (contents.root / "docs").glob("*.png"):
        shutil.copy(picture, target / "docs")


def write(path: Path, text: str) -> None:
    """Write one page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def notebook(name: str, contents: Contents) -> str:
    """Return a notebook with its links mended and its outputs fit for a page."""
    cells = nbformat.read(contents.root / name, 4)
    cells.metadata.pop("widgets", None)
    for cell in cells.cells:
        if cell.cell_type == "markdown":
            cell.source = mended(cell.source, name, contents)
        for output in cell.get("outputs", []):
            make_readable(output)
    return nbformat.writes(cells)


def solved_notebook(name: str, contents: Contents) -> str:
    """Return a solved notebook: its title says so, and the search finds the lesson only, not the lesson twice."""
    solved = nbformat.reads(notebook(name, contents), 4)
    solved.metadata["nosearch"] = True
    solved.cells[0].source = re.sub(r"\A# .*", r"\g<0> (solved)", solved.cells[0].source)
    return nbformat.writes(solved)


def source_page(name: str, root: Path) -> str:
    """Return a page that shows a file of the module."""
    fence = "~" * 8
    text = (root / name).read_text(encoding="utf-8")
    return f"# {name}\n\n{fence}{LANGUAGES[Path(name).suffix]}\n{text}\n{fence}\n"


def landing(contents: Contents) -> str:
    """Return the README with the lists that navigation is made of."""
    readme = with_places((contents.root / "README.md").read_text(encoding="utf-8"), "index.md", contents)
    texts = [called(name) for name in contents.texts if name != "CONTRIBUTING.md"]
    behind = [f"{MODULE}/index", f"{SOLVED}/index", "CONTRIBUTING"]
    lists = {"Lessons": contents.lessons, "Look up": texts, "Behind the lessons": behind}
    navigation = [NAVIGATION.format(title, "\n".join(names)) for title, names in lists.items()]
    return "\n".join([mended(readme, "index.md", contents), *navigation])


def called(name: str) -> str:
    """Return an entry of the navigation; a model card's own title is only the model's name."""
    return f"Model card: {Path(name).parent.name} <{name}>" if name.startswith("models/") else name


def listing(title: str, about: str, folder: str, names: list[str]) -> str:
    """Return a page that lists the pages of its folder."""
    return LIST.format(title, about, "\n".join(relative(name, f"{folder}/index.md") for name in names))
