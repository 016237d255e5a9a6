"""Draw the lessons' diagrams: python -m tools.figures

They show ideas, not measurements, so they are drawn once and stored under notebooks/images. Every picture has a white
background of its own, so that it can be read in a dark theme, and is stored at the size at which it is shown.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

IMAGES = Path(__file__).resolve().parent.parent / "notebooks" / "images"
DPI = 100

# Fill and outline; every box also says in words what it is, so that colour carries nothing alone.
BUILD, FILE, RUN, YOURS = ("#e8f0fb", "#2f5d9b"), ("#f4f4f4", "#555555"), ("#e9f5ea", "#2e7d32"), ("#fdf3e1", "#a86500")
SMALL = 9  # points; nothing is smaller

Point = tuple[float, float]


def canvas(width: float, height: float) -> tuple[plt.Figure, Axes]:
    """A figure whose coordinates are inches."""
    figure = plt.figure(figsize=(width, height), dpi=DPI)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return figure, ax


def box(ax: Axes, centre: Point, title: str, text: str, kind: tuple[str, str], size: Point = (1.75, 0.62)) -> None:
    """A rounded box: the class in bold, what it holds below."""
    (x, y), (width, height), (fill, line) = centre, size, kind
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.06", fc=fill, ec=line, lw=1.5)
    )
    name = {"fontsize": 9.5, "fontweight": "bold", "family": "monospace"}
    below = 0.085 * (text.count("\n") + 1)
    ax.text(x, y + below, title, ha="center", va="center", **name)
    ax.text(x, y - 0.1, text, ha="center", va="center", fontsize=SMALL, linespacing=1.2)


def arrow(ax: Axes, start: Point, end: Point, *, dashed: bool = False) -> None:
    """An arrow; its label, if any, is a note of its own beside it."""
    style = {"arrowstyle": "->" if dashed else "-|>", "color": "#333333", "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=end, xytext=start, arrowprops={**style, "linestyle": (0, (4, 2.5)) if dashed else "-"})


def note(ax: Axes, place: Point, text: str, *, code: bool = False, **options: object) -> None:
    """A few words; ``code`` for a call."""
    settings = {"ha": "left", "va": "center", "fontsize": SMALL, "linespacing": 1.15, **options}
    ax.text(*place, text, family="monospace" if code else "sans-serif", **settings)


# ---- lesson 1: the objects ----------------------------------------------------------------------------------

LEFT, PLAN, MIDDLE, RIGHT = 1.1, 3.1, 4.95, 7.65


def objects() -> plt.Figure:
    """Which object makes which, and which keeps which alive, from an ONNX model to a result."""
    figure, ax = canvas(8.6, 5.9)
    note(ax, (LEFT, 5.65), "where the plan is built", ha="center", fontsize=11, style="italic")
    note(ax, (6.3, 5.65), "where the plan runs", ha="center", fontsize=11, style="italic")
    ax.plot([PLAN, PLAN], [0.6, 5.75], color="#999999", lw=1, linestyle=":", zorder=0)
    _building_side(ax)
    _running_side(ax)
    _your_side(ax)
    arrow(ax, (0.4, 0.25), (1.0, 0.25))
    note(ax, (1.1, 0.25), "makes, or gives to")
    arrow(ax, (3.6, 0.25), (4.2, 0.25), dashed=True)
    note(ax, (4.3, 0.25), "keeps alive, in Python")
    return figure


def _building_side(ax: Axes) -> None:
    box(ax, (LEFT, 5.0), "OnnxParser", "fills the network", BUILD)
    box(ax, (LEFT, 3.9), "INetworkDefinition", "the model's layers", BUILD)
    box(ax, (LEFT, 2.8), "Builder", "makes the plan", BUILD)
    box(ax, (LEFT, 1.7), "IBuilderConfig", "optimization profiles", BUILD)
    box(ax, (PLAN, 2.8), "plan", "bytes, a file", FILE, size=(1.05, 0.62))
    arrow(ax, (LEFT, 4.69), (LEFT, 4.21))
    note(ax, (LEFT + 0.1, 4.45), "parse", code=True)
    arrow(ax, (LEFT, 3.59), (LEFT, 3.11))
    arrow(ax, (LEFT, 2.01), (LEFT, 2.49))
    arrow(ax, (1.98, 2.8), (2.56, 2.8))
    note(ax, (1.2, 3.35), "build_serialized\n_network", code=True)
    note(ax, (LEFT, 1.17), "all four may go\nonce the plan is there", ha="center")


def _running_side(ax: Axes) -> None:
    box(ax, (MIDDLE, 5.0), "Runtime", "reads plans", RUN)
    box(ax, (MIDDLE, 3.75), "ICudaEngine", "weights, I/O tensors", RUN)
    box(ax, (MIDDLE, 2.4), "IExecutionContext", "shapes, profile,\naddresses", RUN, size=(1.75, 0.78))
    box(ax, (RIGHT, 3.75), "IExecutionContext", "another request", RUN)
    arrow(ax, (3.64, 3.0), (4.06, 3.55))
    for upper, lower, call in ((4.69, 4.06, "deserialize\n_cuda_engine"), (3.44, 2.79, "create_execution\n_context")):
        arrow(ax, (MIDDLE - 0.65, upper), (MIDDLE - 0.65, lower))
        note(ax, (MIDDLE - 0.57, (upper + lower) / 2), call, code=True)
        arrow(ax, (MIDDLE + 0.78, lower), (MIDDLE + 0.78, upper), dashed=True)
    arrow(ax, (5.84, 3.85), (6.76, 3.85))
    arrow(ax, (6.76, 3.62), (5.84, 3.62), dashed=True)
    note(ax, (6.3, 3.98), "again", ha="center")


def _your_side(ax: Axes) -> None:
    box(ax, (RIGHT, 5.0), "logger", "an ILogger of yours", YOURS)
    box(ax, (RIGHT, 2.4), "stream", "a queue of work", YOURS)
    box(ax, (MIDDLE, 1.05), "your tensors", "inputs and outputs", YOURS)
    arrow(ax, (5.84, 5.0), (6.76, 5.0), dashed=True)
    arrow(ax, (5.84, 2.4), (6.76, 2.4))
    note(ax, (6.3, 2.66), "execute\n_async_v3", code=True, ha="center")
    arrow(ax, (MIDDLE - 0.65, 1.36), (MIDDLE - 0.65, 2.01))
    note(ax, (MIDDLE - 0.57, 1.68), "set_tensor_address", code=True)
    note(ax, (5.95, 1.05), "only you keep them alive:\nthe context has numbers,\nwhere they were")


# ---- lesson 3: the memory -----------------------------------------------------------------------------------


def memory() -> plt.Figure:
    """Where everything lies during one inference, who owns it, and what is copied."""
    figure, ax = canvas(8.6, 5.5)
    for left, title in ((0.1, "host: the computer's memory"), (4.9, "device: the GPU's memory")):
        ax.add_patch(Rectangle((left, 0.8), 3.6, 4.6, fc="#fafafa", ec="#777777", lw=1, linestyle=":"))
        note(ax, (left + 1.8, 5.2), title, ha="center", fontsize=11, style="italic")
    wide = (3.3, 0.78)
    rows = (4.55, 3.5, 2.45, 1.3)
    host = [
        ("your input tensors", "what the tokenizer made", YOURS),
        ("IExecutionContext", "shapes, and the addresses of four tensors", RUN),
        ("your copy of logits", "where Python reads the result", YOURS),
        ("plan", "may go once the engine is loaded", FILE),
    ]
    device = [
        ("your input tensors", "3 x (1, 9) int64: 72 bytes each", YOURS),
        ("activation memory", "the context's: results between layers", RUN),
        ("your tensor logits", "(1, 9, 30522) float32: 1,098,792 bytes", YOURS),
        ("weights", "the engine's: one copy for all contexts", RUN),
    ]
    for x, boxes in ((1.9, host), (6.7, device)):
        for y, (title, text, kind) in zip(rows, boxes, strict=True):
            box(ax, (x, y), title, text, kind, size=wide)
    _between_the_memories(ax, rows)
    where = "Without a GPU both are one memory: .to(device) and .cpu() copy nothing and give back the same tensor,\n"
    note(ax, (4.3, 0.4), where + "so the addresses are those of the tensors on the left.", ha="center", fontsize=9.5)
    return figure


def _between_the_memories(ax: Axes, rows: tuple[float, ...]) -> None:
    inputs, context, logits, plan = rows
    arrow(ax, (3.55, inputs + 0.15), (5.05, inputs + 0.15))
    arrow(ax, (5.05, logits - 0.15), (3.55, logits - 0.15))
    arrow(ax, (3.55, plan), (5.05, plan))
    arrow(ax, (3.55, context + 0.1), (5.05, inputs - 0.2), dashed=True)
    arrow(ax, (3.55, context - 0.1), (5.05, logits + 0.2), dashed=True)
    clear = {"ha": "center", "bbox": {"fc": "white", "ec": "none", "pad": 1}}
    note(ax, (4.3, inputs + 0.3), ".to(device)", code=True, **clear)
    note(ax, (4.3, context), "addresses", **clear)
    note(ax, (4.3, logits - 0.32), ".cpu()", code=True, **clear)
    note(ax, (4.3, plan + 0.24), "deserialize\n_cuda_engine", code=True, **clear)


# ---- lesson 8: the workers ----------------------------------------------------------------------------------


def workers() -> plt.Figure:
    """Rows on their way through two workers, and what each process holds."""
    figure, ax = canvas(8.6, 4.6)
    rows = (2.95, 1.55)
    box(ax, (0.95, 2.25), "input", "Parquet, .jsonl,\ntext", FILE, size=(1.4, 0.78))
    box(ax, (2.85, 2.25), "reader", "cuts parts of\nbatch_size rows", BUILD, size=(1.4, 0.78))
    box(ax, (7.65, 2.25), "answers", "one file\na part", FILE, size=(1.4, 0.78))
    box(ax, (5.35, 4.05), "plan", "built once", FILE, size=(1.4, 0.62))
    box(ax, (5.35, 0.4), "your process", "counts reports", YOURS, size=(1.7, 0.62))
    for number, y in enumerate(rows, start=1):
        box(ax, (5.35, y), f"worker {number}", "engine, context,\nstream: its own", RUN, size=(1.7, 0.85))
        arrow(ax, (3.55, 2.25 + (y - 2.25) * 0.3), (4.5, y))
        arrow(ax, (6.2, y), (6.95, 2.25 + (y - 2.25) * 0.3))
    arrow(ax, (1.65, 2.25), (2.15, 2.25))
    arrow(ax, (5.1, 3.74), (5.1, 3.38))
    arrow(ax, (5.35, 1.12), (5.35, 0.71), dashed=True)
    ax.annotate(
        "",
        xy=(6.2, 1.7),
        xytext=(6.05, 4.05),
        arrowprops={"arrowstyle": "-|>", "color": "#333333", "lw": 1.3, "connectionstyle": "arc3,rad=-0.25"},
    )
    note(ax, (6.55, 3.75), "read by each worker,\nonce, when it starts")
    note(ax, (2.55, 3.15), "a part at a time,\nthrough Ray's\nobject store", ha="left")
    note(ax, (6.65, 1.2), "written by the worker,\nwhole or not at all")
    note(ax, (5.5, 0.91), "both report rows, errors, seconds")
    return figure


PICTURES = {"01_objects": objects, "03_memory": memory, "08_workers": workers}


def main() -> None:
    """Draw all of them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        figure = draw()
        figure.savefig(IMAGES / f"{name}.png", dpi=DPI, metadata={"Software": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
