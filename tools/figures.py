"""Draw the lessons' diagrams: python -m tools.figures

They show ideas, not measurements, so they are drawn once and stored under notebooks/images.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

IMAGES = Path(__file__).resolve().parent.parent / "notebooks" / "images"

# Fill and outline; every box also says in words what it is, so that colour carries nothing alone.
BUILD, FILE, RUN, YOURS = ("#e8f0fb", "#2f5d9b"), ("#f4f4f4", "#555555"), ("#e9f5ea", "#2e7d32"), ("#fdf3e1", "#a86500")


def box(ax: Axes, x: float, y: float, title: str, text: str, kind: tuple[str, str], width: float = 2.3) -> None:
    """A rounded box centred on (x, y): the class in bold, what it holds below."""
    fill, line = kind
    height = 0.82
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0.04", fc=fill, ec=line, lw=1.5
        )
    )
    ax.text(x, y + 0.15, title, ha="center", va="center", fontsize=11, fontweight="bold", family="monospace")
    ax.text(x, y - 0.19, text, ha="center", va="center", fontsize=9.5, color="#222222")


def arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], label: str = "", dashed: bool = False
) -> None:
    """An arrow, with the call that it stands for."""
    style = {"arrowstyle": "-|>", "color": "#333333", "lw": 1.3, "linestyle": "--" if dashed else "-"}
    ax.annotate("", xy=end, xytext=start, arrowprops=style)
    if label:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        ax.text(
            x,
            y,
            label,
            ha="center",
            va="center",
            fontsize=8.5,
            family="monospace",
            bbox={"fc": "white", "ec": "none", "pad": 1.5},
        )


def objects() -> plt.Figure:
    """Which object makes which, from an ONNX model to a result."""
    figure, ax = plt.subplots(figsize=(12, 5.6))
    ax.set(xlim=(0, 13), ylim=(0, 5.7))
    ax.axis("off")
    ax.text(1.6, 5.5, "where the plan is built", ha="center", fontsize=11, style="italic")
    ax.text(9.6, 5.5, "where the plan runs", ha="center", fontsize=11, style="italic")
    ax.plot([5.2, 5.2], [0.1, 5.4], color="#999999", lw=1, linestyle=":", zorder=0)
    _building_side(ax)
    _running_side(ax)
    return figure


def _building_side(ax: Axes) -> None:
    box(ax, 1.6, 4.8, "OnnxParser", "fills the network", BUILD)
    box(ax, 1.6, 3.4, "INetworkDefinition", "the model's layers", BUILD, width=2.6)
    box(ax, 1.6, 2.0, "Builder", "makes the plan", BUILD)
    box(ax, 1.6, 0.6, "IBuilderConfig", "optimization profiles", BUILD)
    box(ax, 5.2, 2.0, "plan", "bytes, a file", FILE, width=1.5)
    arrow(ax, (1.6, 4.33), (1.6, 3.87), "parse")
    arrow(ax, (1.6, 2.93), (1.6, 2.47))
    arrow(ax, (1.6, 1.07), (1.6, 1.53))
    arrow(ax, (2.85, 2.0), (4.35, 2.0))
    ax.text(3.6, 2.12, "build_serialized\n_network", ha="center", va="bottom", fontsize=7.5, family="monospace")


def _running_side(ax: Axes) -> None:
    box(ax, 8.2, 4.8, "Runtime", "holds the logger", RUN, width=1.7)
    box(ax, 8.2, 3.4, "ICudaEngine", "weights, I/O tensors", RUN, width=2.3)
    box(ax, 11.6, 3.4, "IExecutionContext", "another request", RUN, width=2.5)
    box(ax, 8.2, 2.0, "IExecutionContext", "shapes, addresses, profile", RUN, width=2.6)
    box(ax, 11.6, 2.0, "stream", "a queue of work", YOURS, width=2.0)
    box(ax, 8.2, 0.6, "your tensors", "kept alive by you", YOURS, width=2.0)
    arrow(ax, (6.0, 2.35), (6.95, 3.1))
    arrow(ax, (8.2, 4.33), (8.2, 3.87), "deserialize_cuda_engine")
    arrow(ax, (8.2, 2.93), (8.2, 2.47), "create_execution_context")
    arrow(ax, (9.4, 3.4), (10.3, 3.4))
    ax.text(9.85, 3.5, "again", ha="center", va="bottom", fontsize=8.5)
    arrow(ax, (9.55, 2.0), (10.55, 2.0))
    ax.text(10.05, 1.9, "execute\n_async_v3", ha="center", va="top", fontsize=8.5, family="monospace")
    arrow(ax, (8.2, 1.07), (8.2, 1.53), "set_tensor_address", dashed=True)
    ax.text(9.35, 0.6, "the context knows\nonly their addresses", fontsize=9.5, va="center")


def main() -> None:
    """Draw all of them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, draw in {"01_objects": objects}.items():
        figure = draw()
        figure.savefig(IMAGES / f"{name}.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
