"""Pictures, as PNG bytes: pure functions of plain data. Every one has its facts in print beside it in the lesson."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

if TYPE_CHECKING:
    from .timeline import Span

Shape = tuple[int, int]

# Outline and hatching of each profile: they can be told apart without colour.
_STYLES = (("#2f5d9b", "///"), ("#2e7d32", "\\\\\\"), ("#a86500", "..."))
# By the number of profiles that a request fits.
_MARKERS = {0: "X", 1: "o", 2: "D"}

_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0}
# A box is drawn this factor larger than its range: one size would have no height, and its edge would cut points.
_MARGIN = 1.15


def draw_profiles(profiles: Sequence[tuple[Shape, Shape, Shape]], fits: Mapping[Shape, Sequence[int]]) -> bytes:
    """Profiles as boxes in the plane of batch and sequence, with requests as points.

    Parameters:
        profiles: (min, opt, max) of a two-dimensional input, for each profile.
        fits: for each request, a shape, the indices of the profiles that accept it. No size may be 0.

    Returns:
        A PNG. Say in its alt text which requests fit what.
    """
    figure = Figure(figsize=(8, 4.2), dpi=100, layout="constrained")
    ax = figure.subplots()
    for index, (low, _, high) in enumerate(profiles):
        _box(ax, index, low, high)
    for (batch, sequence), indices in fits.items():
        words = " and ".join(map(str, indices)) or "none"
        marker = _MARKERS.get(len(indices), "D")
        ax.plot(sequence, batch, marker, color="black", markersize=8, markeredgecolor="white", zorder=3)
        label = f"{batch} x {sequence}: {words}"
        ax.annotate(label, (sequence, batch), (0, 12), textcoords="offset points", ha="center", bbox=_WHITE)
    _axes(ax, [*fits, *(shape for low, _, high in profiles for shape in (low, high))])
    return to_png(figure)


def to_png(figure: Figure) -> bytes:
    """The same figure gives the same bytes, with any release of matplotlib that draws it alike."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _box(ax: Axes, index: int, low: Shape, high: Shape) -> None:
    """A rectangle, its edge and its hatching drawn apart, so that the hatching can be pale."""
    colour, hatch = _STYLES[index % len(_STYLES)]
    (bottom, left), (top, right) = [size / _MARGIN for size in low], [size * _MARGIN for size in high]
    place = {"xy": (left, bottom), "width": right - left, "height": top - bottom}
    ax.add_patch(Rectangle(**place, fill=False, edgecolor=colour, linewidth=2))
    ax.add_patch(Rectangle(**place, fill=False, edgecolor=colour, linewidth=0, hatch=hatch, alpha=0.25))
    ax.annotate(f"profile {index}", (left, top), (4, 4), textcoords="offset points", color=colour, weight="bold")


def _axes(ax: Axes, shapes: Sequence[Shape]) -> None:
    """Both axes double from tick to tick, so that 1 and 128 can both be seen."""
    for axis, position, name in ((ax.yaxis, 0, "batch"), (ax.xaxis, 1, "sequence")):
        sizes = [shape[position] for shape in shapes]
        ticks = [2**power for power in range(max(sizes).bit_length() + 1)]
        ax.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (min(sizes) / 1.6, max(sizes) * 2)})
        ax.set(**{f"{axis.axis_name}label": f"{name} (each tick is twice the one before)"})
        axis.set_ticks([tick for tick in ticks if tick >= min(sizes) / 1.6], labels=None)
        axis.set_ticks([], minor=True)
        axis.set_major_formatter("{x:.0f}")
    ax.spines[["top", "right"]].set_visible(False)


# Fill, hatching and label colour of each kind of work on a stream: told apart without colour.
_KINDS = {
    "copy in": ("#dbe7f6", "///", "#1d3d66"),
    "execute": ("#cfe8d1", "", "#1b4d1f"),
    "copy out": ("#f7e3c3", "\\\\\\", "#6b4300"),
}
_OTHER_KIND = ("#e6e6e6", "xxx", "#333333")


def draw_timeline(spans: Sequence[Span], events: Mapping[str, float] | None = None) -> bytes:
    """What each stream did, and when: a row for each stream, a bar for each span.

    Parameters:
        spans: from ``Timeline.spans()``; ``row`` is the stream, ``what`` the kind of work.
        events: moments to mark, name to ms.

    Returns:
        A PNG. Say in its alt text which spans overlap.
    """
    rows = sorted({span.row for span in spans})
    start = min(span.start_ms for span in spans)
    figure = Figure(figsize=(9, 1.3 + 0.62 * len(rows)), dpi=100, layout="constrained")
    ax = figure.subplots()
    for span in spans:
        fill, hatch, line = _KINDS.get(span.what, _OTHER_KIND)
        place = (rows.index(span.row) - 0.32, 0.64)
        left, width = span.start_ms - start, span.end_ms - span.start_ms
        ax.broken_barh([(left, width)], place, facecolor=fill, edgecolor=line, hatch=hatch, linewidth=1)
    for name, at in (events or {}).items():
        ax.axvline(at - start, color="black", linestyle="--", linewidth=1)
        ax.annotate(name, (at - start, -0.55), (3, 0), textcoords="offset points", fontsize=9, bbox=_WHITE)
    ax.set(yticks=range(len(rows)), yticklabels=rows, xlabel="ms", ylim=(len(rows) - 0.4, -0.8))
    kinds = dict.fromkeys(span.what for span in spans)
    ax.legend(handles=[_sample(kind) for kind in kinds], loc="upper center", ncols=3, bbox_to_anchor=(0.5, -0.28))
    ax.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def _sample(kind: str) -> Rectangle:
    """The kind's entry in the legend."""
    fill, hatch, line = _KINDS.get(kind, _OTHER_KIND)
    return Rectangle((0, 0), 1, 1, facecolor=fill, edgecolor=line, hatch=hatch, label=kind)


def draw_waterfall(steps: Mapping[str, float]) -> bytes:
    """What became of a time, one change after the other: a bar for each step, with its ms and the gain since the first.

    Parameters:
        steps: name to ms, in order.

    Returns:
        A PNG. Print the same times beside it.
    """
    first, longest = next(iter(steps.values())), max(steps.values())
    figure = Figure(figsize=(9, 0.9 + 0.5 * len(steps)), dpi=100, layout="constrained")
    ax = figure.subplots()
    for row, ms in enumerate(steps.values()):
        ax.barh(row, ms, height=0.6, facecolor="#cfe8d1", edgecolor="#1b4d1f")
        ax.annotate(f"{ms:.0f} ms, {first / ms:.1f}x", (ms, row), (6, 0), textcoords="offset points", va="center")
    ax.set(yticks=range(len(steps)), yticklabels=list(steps), xlabel="ms", xlim=(0, longest * 1.25))
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    return to_png(figure)
