"""Interactive views: try a value, see what TensorRT makes of it.

Each view is a pure function first, from plain facts to HTML or to a PNG; the widget only wires controls to it and
writes what it returns into ``.value``. So a view can be tested, driven from Python, and shown where no kernel runs.

    html.py                 escaped texts, tables with captions and headers
    view.py                 what all views are: controls above, a result below
    engine_explorer.py      lesson 2: an engine's tensors, contexts and binding indices, for the profiles that you pick
    shape_playground.py     lesson 3: which profiles take a batch, and what comes out
    stream_timeline.py      lesson 4: what ran when, for the streams, contexts and copies that you choose
    fill_in_the_blank.py    lesson 5: the likeliest words for a sentence of your own
"""

from __future__ import annotations

from .engine_explorer import EngineExplorer, engine_facts, render_engine
from .fill_in_the_blank import FillInTheBlank, draw_words, render_words
from .shape_playground import ShapePlayground, render_request, request_facts
from .stream_timeline import StreamTimeline, draw_streams, explain_streams, measure_streams, render_timeline

__all__ = [
    "EngineExplorer",
    "engine_facts",
    "render_engine",
    "ShapePlayground",
    "request_facts",
    "render_request",
    "StreamTimeline",
    "measure_streams",
    "explain_streams",
    "render_timeline",
    "draw_streams",
    "FillInTheBlank",
    "render_words",
    "draw_words",
]
