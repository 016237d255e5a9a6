"""Lesson 5: type a sentence with ``[MASK]``, read the words that the engine proposes."""

from __future__ import annotations

import warnings

import ipywidgets as widgets
from matplotlib.axes import Axes

from ...decoding.model import Candidate, MaskedLM
from ...decoding.sentences import Filled, fill_in
from ...lanes import trt
from ..plots import blank, to_png
from . import html
from .panel import Panel, labelled

MOST_WORDS = 10
# A sentence may have a hundred masks. So many are drawn; the table has all.
_MOST_PANELS = 4
_BAR = "#2f5d9b"


# ---- facts and their pictures -------------------------------------------------------------------------------


def render_words(filled: Filled) -> str:
    """One sentence's candidates as HTML: a summary, a table for each ``[MASK]``; or why there are none."""
    if filled.problem:
        return html.alert(filled.problem)
    best = [candidates[0] for candidates in filled.candidates]
    said = ", then ".join(f"{c.word} ({_percent(c)})" for c in best)
    tables = [_word_table(filled, which) for which in range(len(best))]
    return "\n".join([html.status(f"Likeliest: {said}."), *tables])


def _word_table(filled: Filled, which: int) -> str:
    rows = [(rank, c.word, _percent(c)) for rank, c in enumerate(filled.candidates[which], 1)]
    return html.table(f"Words for {_mask(filled, which)}", ("rank", "word", "probability"), rows)


def _mask(filled: Filled, which: int) -> str:
    count = len(filled.candidates)
    return "[MASK]" if count == 1 else f"[MASK] {which + 1} of {count}"


def _percent(candidate: Candidate) -> str:
    return "under 1 %" if candidate.probability < 0.01 else f"{candidate.probability * 100:.0f} %"


def draw_words(filled: Filled) -> bytes:
    """One sentence's candidates as bars, a panel for each of the first four ``[MASK]``.

    Returns:
        A PNG with a white background, readable on any. Its facts are in ``render_words``; say them in the alt text.

    Raises:
        ValueError: the sentence has a problem, so there is nothing to draw.
    """
    if not filled.candidates:
        raise ValueError(f"there are no words to draw: {filled.problem}")
    panels = min(len(filled.candidates), _MOST_PANELS)
    rows = len(filled.candidates[0])
    figure, axes = blank(max(5, 3.2 * panels), 1.1 + 0.3 * rows, panels)
    for which, ax in enumerate(axes):
        _bars(ax, filled.candidates[which], _mask(filled, which))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a word in a script that the font lacks
        return to_png(figure)


def _bars(ax: Axes, candidates: list[Candidate], title: str) -> None:
    """The likeliest on top, each with its word before it and its percentage behind it."""
    places = range(len(candidates))
    ax.barh(places, [100 * c.probability for c in candidates], color=_BAR, height=0.7)
    # A word is text, not a formula: "$" is in the vocabulary.
    ax.set_yticks(places, [c.word for c in candidates], fontsize=11, parse_math=False)
    for place, candidate in zip(places, candidates, strict=True):
        end = (100 * candidate.probability, place)
        ax.annotate(_percent(candidate), end, (4, 0), textcoords="offset points", va="center", fontsize=10)
    ax.set(xlim=(0, 118), xticks=(0, 50, 100), xlabel="probability in percent", title=title)
    ax.invert_yaxis()


# ---- the widget ---------------------------------------------------------------------------------------------


class FillInTheBlank(Panel):
    """Type a sentence; the engine proposes words. One sentence at a time, so the kernel is busy for moments only.

    Parameters:
        lm: the model's tokenizer and names, from ``load_masked_lm``.
        context: of an engine with that model; its profile says how long a sentence may be.

    Attributes:
        sentence: a text field; Enter, or leaving it, asks the engine.
        count: how many words, 1 to 10.
        button: asks as well.
        chart: the bars; ``chart.value`` is HTML, an image with its text, and empty where there are no words.
    """

    title = "Fill in the blank"

    def __init__(
        self, lm: MaskedLM, context: trt.IExecutionContext, sentence: str = "Paris is the [MASK] of France."
    ) -> None:
        self._lm, self._context = lm, context
        wide = widgets.Layout(width="32em", max_width="100%")
        self.sentence = labelled(widgets.Text, "sentence", value=sentence, continuous_update=False, layout=wide)
        self.count = labelled(widgets.BoundedIntText, "number of words", value=5, min=1, max=MOST_WORDS)
        self.button = widgets.Button(description="Fill in")
        self.button.on_click(self.refresh)
        self.chart = widgets.HTML()
        super().__init__([self.sentence, self.count, self.button], self.chart)

    def render(self) -> str:
        """Ask the engine, draw the words, and describe them."""
        self.chart.value = ""
        (filled,) = fill_in(self._lm, self._context, self.sentence.value, k=self.count.value)
        if filled.candidates:
            self.chart.value = html.picture(draw_words(filled), alt=f"Bar chart: {filled}")
        return render_words(filled)
