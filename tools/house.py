"""How large the module is, whether its rooms keep to themselves, and which way imports run: part of ``make lint``.

python -m tools.house          what is not as it should be, and the module's size
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from importlinter.cli import lint_imports

from tools.notebooks import ROOT

PACKAGE = ROOT / "trt_helpers"
# It may go down and not up; the goal is 6,700.
MOST_LINES_OF_CODE = 7_400
MOST_FILES_AT_THE_TOP = 18
MOST_LINES_OF_A_FILE = 300
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef)


def lines_of_code(source: str) -> int:
    """Lines with code on them: no docstrings, no comments, no blank ones."""
    tree, docstrings = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    code = {line for t in tokens if t.type not in _NO_CODE for line in range(t.start[0], t.end[0] + 1)}
    return len(code - docstrings)


def private_imports(source: str) -> list[str]:
    """Underscore names that a file imports. (Those of objects are ruff's to find: SLF001.)"""
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in imports for alias in node.names]
    return [name for name in names if name.startswith("_") and not name.startswith("__")]


def complaints(package: Path = PACKAGE) -> Iterator[str]:
    """What is not as it should be, a line each."""
    paths = sorted(package.rglob("*.py"))
    for path in paths:
        source, name = path.read_text(encoding="utf-8"), path.relative_to(package.parent).as_posix()
        lines = len(source.splitlines())
        if lines > MOST_LINES_OF_A_FILE:
            yield f"{name}: {lines} lines, at most {MOST_LINES_OF_A_FILE}: which two ideas are in it?"
        if not ast.get_docstring(ast.parse(source)):
            yield f"{name}: its first line does not say what its one idea is"
        for used in private_imports(source):
            yield f"{name}: {used} is another file's own: ask it for a public name"
    if (top := len(list(package.glob("*.py")))) > MOST_FILES_AT_THE_TOP:
        yield f"{top} files at the top of {package.name}, at most {MOST_FILES_AT_THE_TOP}"
    if (total := size(package)) > MOST_LINES_OF_CODE:
        yield f"{total:,} lines of code in {package.name}, at most {MOST_LINES_OF_CODE:,}"


def size(package: Path = PACKAGE) -> int:
    """Lines of code of the whole package."""
    return sum(lines_of_code(path.read_text(encoding="utf-8")) for path in package.rglob("*.py"))


def main() -> int:
    """Print complaints and the size; 1 if there is a complaint."""
    found = list(complaints())
    print("\n".join(found))
    # As said in pyproject.toml.
    imports_run_wrong = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) != 0
    files = len(list(PACKAGE.rglob("*.py")))
    print(f"{PACKAGE.name}: {size():,} lines of code in {files} files (no docstrings, comments, blank lines)")
    return 1 if found or imports_run_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
