"""Pictures, as PNG bytes: pure functions of plain data. Every one has its facts in print beside it in the lesson.

``picture`` shows one in a notebook, with its alt text.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

if TYPE_CHECKING:
    from IPython.display import Image

    from ..timeline import Span

Shape = tuple[int, int]

# Outline and hatching of each profile: they can be told apart without colour.
_STYLES = (("#2f5d9b", "///"), ("#2e7d32", "\\\\\\"), ("#a86500", "..."))
# By the number of profiles that a request fits.
_MARKERS = {0: "X", 1: "o", 2: "D"}

_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0}
# A box is drawn this factor larger than its range: one size would have no height, and its edge would cut points.
_MARGIN = 1.15


def picture(png: bytes, alt: str) -> Image:
    """A PNG for the end of a cell, with its alt text. Lesson 2 shows what is inside.

        png = course.draw_waterfall({"one by one": 80.0, "in one batch": 20.0})
        course.picture(png, alt="Two bars: the batch takes a quarter of the time.")

    Parameters:
        png: the bytes of a PNG, as the functions below return them.
        alt: what the picture shows, in words.

    Returns:
        IPython's ``Image``, which Jupyter shows; the alt text is stored with the output.

    Raises:
        ValueError: the alt text is empty.
    """
    if not alt.strip():
        raise ValueError("a picture needs an alt text: it says what there is to see to those who cannot see it")
    from IPython.display import Image  # only a notebook shows pictures

    # The same output as Image(png, alt=alt), which IPython 7.34, Colab's, does not know.
    return Image(png, metadata={"alt": alt})


def draw_profiles(profiles: Sequence[tuple[Shape, Shape, Shape]], fits: Mapping[Shape, Sequence[int]]) -> bytes:
    """Profiles as boxes in the plane of batch and sequence, with requests as points.

    Parameters:
        profiles: (min, opt, max) of a two-dimensional input, for each profile.
        fits: for each request, a shape, the indices of the profiles that accept it. No size may be 0.

    Returns:
        A PNG. Say in its alt text which requests fit what.
    """
    figure, (ax,) = blank(8, 4.2)
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


def blank(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A white figure, in units of 100 pixels, with panels side by side that have no frame."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


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


class _Look(NamedTuple):
    """How a kind of work is drawn; ``top`` and ``bottom`` are the ends of its bar, seen from the row's middle."""

    fill: str
    hatch: str
    line: str
    top: float
    bottom: float

    def style(self) -> dict[str, str]:
        """As matplotlib's patches take it."""
        return {"facecolor": self.fill, "edgecolor": self.line, "hatch": self.hatch}


# Told apart without colour: by hatching, and where a bar is too short for that, by the side where it sticks out.
_KINDS = {
    "copy in": _Look("#b5cdec", "///", "#1d3d66", -0.42, 0.26),
    "execute": _Look("#cfe8d1", "", "#1b4d1f", -0.26, 0.26),
    "copy out": _Look("#f2cf94", "\\\\\\", "#6b4300", -0.26, 0.42),
}
_OTHER_KIND = _Look("#e6e6e6", "xxx", "#333333", -0.26, 0.26)
# The least width of a bar, as a part of the whole: about 4 pixels, so that the shortest copy can be seen.
_LEAST_WIDTH = 1 / 200
_LABEL_HEIGHT = 0.32  # of an event's name, in rows


def draw_timeline(spans: Sequence[Span], events: Mapping[str, float] | None = None) -> bytes:
    """What each stream did, and when: a row for each stream, a bar for each span, a dashed line for each event.

    Parameters:
        spans: one or more, from ``Timeline.spans()``; ``row`` is the stream, ``what`` the kind of work.
        events: moments to mark, name to ms, counted like the spans' times.

    Returns:
        A PNG with a white background, readable on any. Say in its alt text which spans overlap.
    """
    return to_png(_timeline_figure(spans, events or {}))


def _timeline_figure(spans: Sequence[Span], events: Mapping[str, float]) -> Figure:
    rows = sorted({span.row for span in spans}, key=lambda row: (len(row), row))  # "context 2" before "context 10"
    start, end = min(span.start_ms for span in spans), max(span.end_ms for span in spans)
    height = len(rows) + _LABEL_HEIGHT * len(events)
    figure, (ax,) = blank(9, 1.2 + 0.7 * height)
    for span in spans:
        _bar(ax, rows.index(span.row), span, start, (end - start) * _LEAST_WIDTH)
    _mark_events(ax, {name: at - start for name, at in events.items()}, end - start)
    ax.set(yticks=range(len(rows)), yticklabels=rows, xlabel="ms since the first began")
    ax.set_ylim(len(rows) - 0.5, len(rows) - 0.5 - height)
    kinds = {span.what for span in spans}
    ours, others = [kind for kind in _KINDS if kind in kinds], sorted(kinds - set(_KINDS))
    figure.legend(handles=[_sample(kind) for kind in ours + others], loc="outside lower center", ncols=4)
    return figure


def _bar(ax: Axes, row: int, span: Span, start: float, least_width: float) -> None:
    look, width = _KINDS.get(span.what, _OTHER_KIND), span.end_ms - span.start_ms
    place, size = (span.start_ms - start, row + look.top), (max(width, least_width), look.bottom - look.top)
    in_front = 2 - width / (width + 1)  # the shorter, the further
    ax.add_patch(Rectangle(place, *size, zorder=in_front, **look.style()))
    ax.autoscale_view()


def _mark_events(ax: Axes, events: Mapping[str, float], total: float) -> None:
    """Each name has a line of its own above the rows, so that events at the same moment can be read."""
    for level, (name, at) in enumerate(sorted(events.items(), key=lambda event: event[1]), 1):
        ax.axvline(at, color="black", linestyle="--", linewidth=1.2, zorder=3)
        side, gap = ("right", -4) if at > 0.8 * total else ("left", 4)
        place = (at, -0.5 - _LABEL_HEIGHT * (len(events) - level + 0.5))
        ax.annotate(name, place, (gap, 0), textcoords="offset points", ha=side, va="center", bbox=_WHITE, zorder=4)


def _sample(kind: str) -> Rectangle:
    """The kind's entry in the legend."""
    return Rectangle((0, 0), 1, 1, label=kind, **_KINDS.get(kind, _OTHER_KIND).style())


def draw_waterfall(steps: Mapping[str, float]) -> bytes:
    """What became of a time, one change after the other: a bar for each step, with its ms and the gain since the first.

    Parameters:
        steps: name to ms, in order.

    Returns:
        A PNG. Print the same times beside it.
    """
    first, longest = next(iter(steps.values())), max(steps.values())
    figure, (ax,) = blank(9, 0.9 + 0.5 * len(steps))
    for row, ms in enumerate(steps.values()):
        ax.barh(row, ms, height=0.6, facecolor="#cfe8d1", edgecolor="#1b4d1f")
        ax.annotate(f"{ms:.0f} ms, {first / ms:.1f}x", (ms, row), (6, 0), textcoords="offset points", va="center")
    ax.set(yticks=range(len(steps)), yticklabels=list(steps), xlabel="ms", xlim=(0, longest * 1.25))
    ax.invert_yaxis()
    return to_png(figure)
