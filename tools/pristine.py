"""Give back an untouched copy of a lesson, and keep the learner's own beside it.

    python -m tools.pristine 03        (make pristine LESSON=03)

The learner's notebook becomes 03_setting_shapes.mine.ipynb, or .mine-2, .mine-3 ... if that name is taken; git ignores
these, and no check looks at them. The untouched copy is the one that git has stored, with its outputs. Without git, or
if the stored one is not what the lesson's text says, it is built from that text and has no outputs until it is run.
"""

import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

import nbformat

from tools.lessons import LessonError, build
from tools.notebooks import ROOT, lessons, notebook_path, summary, write


def agrees(text: str, lesson: Path) -> bool:
    """Tell whether a notebook's text has exactly the cells that its lesson makes, whatever their outputs."""
    try:
        return summary(nbformat.reads(text, 4)) == summary(build(lesson, solved=False))
    except Exception:  # whatever is wrong with a notebook, it is not the lesson's
        return False


def stored(lesson: Path, path: Path) -> str | None:
    """Return the untouched notebook as git has it; None if it has none (somebody may have committed a solved one)."""
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    except OSError:  # no git on this machine
        return None
    return done.stdout if done.returncode == 0 and agrees(done.stdout, lesson) else None


def is_untouched(lesson: Path, text: str | None, path: Path) -> bool:
    """Tell whether the notebook is as it was. Without a stored one only cells are compared, not outputs."""
    now = path.read_text(encoding="utf-8", errors="replace")
    return agrees(now, lesson) if text is None else now == text


def write_fresh(lesson: Path, text: str | None, path: Path) -> None:
    """Write the untouched notebook: the stored text, or one built from the lesson."""
    if text is None:
        write(build(lesson, solved=False), path)
    else:
        path.write_text(text, encoding="utf-8")


def free_name(path: Path) -> Path:
    """Return the first name for the learner's copy that no file has."""
    endings = (".mine" if number == 1 else f".mine-{number}" for number in count(1))
    return next(name for ending in endings if not (name := path.with_name(f"{path.stem}{ending}.ipynb")).exists())


def restore(lesson: Path) -> str:
    """Put the untouched notebook in its place; return a sentence about what was kept, and where."""
    path = notebook_path(lesson, solved=False)
    text = stored(lesson, path)
    if path.exists() and is_untouched(lesson, text, path):
        return f"{path.name} is untouched."
    path.parent.mkdir(parents=True, exist_ok=True)
    # The new one is complete before the old one moves, so that neither is ever lost.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pristine-") as folder:
        fresh = Path(folder) / path.name
        write_fresh(lesson, text, fresh)
        kept = None
        if path.exists():
            kept = free_name(path)
            path.rename(kept)
        os.replace(fresh, path)
    yours = f" Yours is now {kept.name}." if kept else ""
    return f"{path.name} is as it was at first.{yours} If it is open in JupyterLab, reload it from disk (File menu)."


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Restore the lessons whose numbers or names are given, and return the exit status."""
    wanted = sys.argv[1:] if arguments is None else arguments
    try:
        if not wanted:
            raise LessonError(f"which lesson? {', '.join(path.stem for path in lessons(root))}: say LESSON=01")
        for lesson in lessons(root, wanted):
            print(restore(lesson))
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
