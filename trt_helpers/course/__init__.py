"""What only the lessons need: exercises' checks, views, pictures. You would not copy it into a project of your own.

    from trt_helpers import course
    from trt_helpers.course import practice        # the checks of the exercises, a file for each lesson

A name is imported when it is first used: who draws nothing needs neither matplotlib nor ipywidgets.
"""

import importlib

# The file that each name is in.
_HOMES = {
    # lesson 2: bindings and profiles
    "picture": "plots",
    "draw_profiles": "plots",
    "EngineExplorer": "views.engine_explorer",
    "engine_facts": "views.engine_explorer",
    "render_engine": "views.engine_explorer",
    # lesson 3: setting shapes
    "ShapePlayground": "views.shape_playground",
    "request_facts": "views.shape_playground",
    "render_request": "views.shape_playground",
    "data_dependent_plan": "data_dependent",
    # lesson 4: asynchronous execution and streams
    "draw_timeline": "plots",
    "StreamTimeline": "views.stream_timeline",
    "measure_streams": "views.stream_timeline",
    "explain_streams": "views.stream_timeline",
    "render_timeline": "views.stream_timeline",
    "draw_streams": "views.stream_timeline",
    # lesson 5: masked-word decoding
    "FillInTheBlank": "views.fill_in_the_blank",
    "render_words": "views.fill_in_the_blank",
    "draw_words": "views.fill_in_the_blank",
    # lesson 7: making it fast
    "draw_waterfall": "plots",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    """One of the names above, at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    """What completion offers: also what is not imported yet."""
    return sorted({*globals(), *__all__})
