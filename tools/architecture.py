"""Draw docs/architecture.png: the rooms of ``trt_helpers`` and which imports which: python -m tools.architecture"""

from __future__ import annotations

import ast
from pathlib import Path

import matplotlib.pyplot as plt

from tools.figures import BUILD, DPI, FILE, RUN, YOURS, arrow, box, canvas
from tools.notebooks import ROOT

PACKAGE = ROOT / "trt_helpers"
PICTURE = ROOT / "docs" / "architecture.png"
# Where each room stands, what it is for, and how it is coloured. Imports run downwards. A room is a folder, or some of
# the files at the top of the package.
ROOMS = {
    "course": ((1.75, 7.0), "what only lessons need", YOURS),
    "scaling": ((5.25, 7.0), "many workers, on Ray", RUN),
    "legacy": ((1.75, 5.9), "TensorRT 8's numbers", RUN),
    "decoding": ((5.25, 5.9), "masked words", RUN),
    "helpers": ((3.5, 4.7), "infer, bind, pipeline, timeline ...", RUN),
    "building": ((3.5, 3.6), "ONNX to a plan", BUILD),
    "lanes": ((3.5, 2.5), "which TensorRT; log, tensors", RUN),
    "reference": ((1.75, 1.4), "stands in for NVIDIA's runtime", FILE),
    "errors": ((3.5, 0.4), "every text once; streams", FILE),
}
TOP = {name: "lanes" for name in ("lanes", "log", "tensors", "files", "streams")}
TOP |= {name: "errors" for name in ("errors", "cpu_stream", "cuda_stream")}


def room_of(module: list[str]) -> str:
    """The room of a module, given as its parts below the package; ``""`` for the command line, which has all."""
    if not module or module[0] in ("__init__", "__main__", "doctor", "explain"):
        return ""
    return TOP.get(module[0]) or (module[0] if module[0] in ROOMS else "helpers")


def imports(path: Path) -> set[str]:
    """The rooms that a file of the package imports from."""
    here = list(path.relative_to(PACKAGE).with_suffix("").parts)
    package = here[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            base = [part for part in base if part]
            found |= {room_of(base)} if base else {room_of([alias.name]) for alias in node.names}
    return found - {""}


def arrows() -> set[tuple[str, str]]:
    """Who imports whom, rooms only; also what the lane's choice imports when ``trt`` is first asked for."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        room = room_of(list(path.relative_to(PACKAGE).with_suffix("").parts))
        if room:
            found |= {(room, other) for other in imports(path) if other != room}
    return found


def shown(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows without those that a way over other rooms implies."""

    def reaches(start: str, end: str) -> bool:
        return any(a == start and (b == end or reaches(b, end)) for a, b in found)

    return {(a, b) for a, b in found if not any(c != b and reaches(c, b) for start, c in found if start == a)}


def draw() -> plt.Figure:
    """The rooms and their arrows."""
    figure, ax = canvas(7.0, 7.4)
    for name, (place, text, kind) in ROOMS.items():
        box(ax, place, name, text, kind, size=(2.9, 0.62))
    for start, end in sorted(shown(arrows())):
        (x1, y1), (x2, y2) = ROOMS[start][0], ROOMS[end][0]
        arrow(ax, (x1 + 0.15 * (x2 - x1), y1 - 0.31), (x2 + 0.25 * (x1 - x2), y2 + 0.31))
    return figure


def main() -> None:
    """Store the picture."""
    draw().savefig(PICTURE, dpi=DPI, metadata={"Software": None})


if __name__ == "__main__":
    main()
