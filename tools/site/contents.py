"""What has a page on the site. Names are paths from the repository's root, with forward slashes."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tools.notebooks import stored_notebooks

LANGUAGES = {".py": "python", ".toml": "toml"}
SOLVED, MODULE = "notebooks/solutions", "trt_helpers"  # the folders that have a list of their own
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Contents:
    """The lessons with the titles of their sections; solved lessons; texts; the module's files."""

    root: Path
    lessons: dict[str, set[str]]
    solved: list[str]
    texts: list[str]
    code: list[str]

    def lesson(self, number: int) -> str | None:
        """Return the notebook of a lesson."""
        return next((name for name in self.lessons if int(Path(name).name[:2]) == number), None)

    def page(self, name: str) -> str | None:
        """Return the source of the page for a file or folder; None if it has no page."""
        if name in (SOLVED, MODULE):
            return f"{name}/index.md"
        if name in self.code:
            return f"{name}.md"
        return name if name in {*self.lessons, *self.solved, *self.texts} else None


def find(root: Path) -> Contents:
    """Return what there is in the repository, in reading order."""

    def relative(paths: list[Path]) -> list[str]:
        return [path.relative_to(root).as_posix() for path in paths]

    def names(*patterns: str) -> list[str]:
        return relative(sorted(path for pattern in patterns for path in root.glob(pattern)))

    lessons = relative(stored_notebooks(root / "notebooks"))
    code = [name for name in names(f"{MODULE}/**/*") if Path(name).suffix in LANGUAGES]
    return Contents(
        root=root,
        lessons={name: headings(root / name) for name in lessons},
        solved=relative(stored_notebooks(root / SOLVED)),
        texts=names("docs/*.md", "models/*/README.md", "benchmarks/*/*.md") + names("CONTRIBUTING.md"),
        code=sorted(code, key=lambda name: (name.count("/"), name)),  # the files of subpackages last
    )


def headings(notebook: Path) -> set[str]:
    """Return the titles of a notebook's sections."""
    cells = nbformat.read(notebook, 4).cells
    return {title for cell in cells if cell.cell_type == "markdown" for title in HEADING.findall(cell.source)}
