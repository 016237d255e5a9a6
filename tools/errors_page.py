"""Write docs/errors.md, every error text with its reason, from trt_helpers/errors.toml.

python -m tools.errors_page
"""

import re
import sys
from pathlib import Path

from tools.notebooks import ROOT
from trt_helpers.errors import Refusal, refusals
from trt_helpers.explain import meaning

PAGE = ROOT / "docs" / "errors.md"

INTRODUCTION = """# Error texts

Every text of TensorRT that this course knows, what it means and what to do. `python -m trt_helpers explain "..."` looks
a text up for you, whole tracebacks too. This page is made by `python -m tools.errors_page` from
`trt_helpers/errors.toml`; the same rows are behind `TensorRTError` and the reference runtime's log lines.

`{...}` stands for what is filled in. File names and line numbers, which change with every release, are left out.
"""


def sections() -> dict[str, list[Refusal]]:
    """The rows under the headings of the comments in errors.toml."""
    text = (ROOT / "trt_helpers" / "errors.toml").read_text(encoding="utf-8")
    found: dict[str, list[Refusal]] = {}
    for heading, key in re.findall(r"^(?:# ---- (.+?) -+|\[(\w+)\])$", text, re.MULTILINE):
        if heading:
            rows = found.setdefault(heading[0].upper() + heading[1:], [])
        else:
            rows.append(refusals()[key])
    return found


def link(row: Refusal) -> str:
    """The notebook that shows it, if it is there yet, with the heading."""
    number, _, heading = row.lesson.partition(": ")
    name = f"lesson {number}" + (f", *{heading}*" if heading else "")
    notebook = next((ROOT / "lessons").glob(f"{int(number):02}_*.py"), None)
    return f"[{name}](../notebooks/{notebook.stem}.ipynb)" if notebook else name


def entry(row: Refusal) -> str:
    """One row of the table as a piece of the page."""
    texts = [row.log] if row.log else [f"...{mark}..." for mark in row.marks] or [row.says]
    if not row.log and not row.marks and row.asks:
        texts = []
    lines = [f"### {row.key}", "", meaning(row)]
    if texts:
        lines += ["", "```text", *texts, "```"]
    lines += ["", *(f"- {cause}" for cause in row.causes), "", "```python", *row.fix.splitlines(), "```", ""]
    return "\n".join([*lines, f"Shown in {link(row)}."])


def page() -> str:
    """The text of docs/errors.md."""
    parts = [INTRODUCTION]
    for heading, rows in sections().items():
        parts += [f"## {heading}", *map(entry, rows)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def main(path: Path = PAGE) -> int:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(), encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(refusals())} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
