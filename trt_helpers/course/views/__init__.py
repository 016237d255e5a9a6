"""Interactive views: try a value, see what TensorRT makes of it.

Each view is a pure function first, from plain facts to HTML or to a PNG; the widget only wires controls to it and
writes what it returns into ``.value``. So a view can be tested, driven from Python, and shown where no kernel runs.

    html.py                 escaped texts, tables with captions and headers
    panel.py                what all views are: controls above, a result below
    contexts.py             a context on a profile of your choice
    engine_explorer.py      lesson 2: an engine's tensors, contexts and binding indices, for the profiles that you pick
    shape_playground.py     lesson 3: which profiles take a batch, and what comes out
    stream_timeline.py      lesson 4: what ran when, for the streams, contexts and copies that you choose
    fill_in_the_blank.py    lesson 5: the likeliest words for a sentence of your own
"""
