"""Outputs that read well on a page without a kernel."""

import html
import re

from nbformat import NotebookNode

PIXELS = ("image/png", "image/jpeg")
DRAWING = "image/svg+xml"
# What ipywidgets print of themselves, such as VBox(children=(Text(value='...
WIDGET = re.compile(r"[A-Z]\w*\((?:children|value|description|layout|options|outputs)=")
INSTEAD = "<p><em>Here is an interactive view. It needs JupyterLab: <code>make lab</code>.</em></p>"


def make_readable(output: NotebookNode) -> None:
    """Change an output in place: pictures keep their alt text, which MyST-NB drops; a widget's inside is not shown."""
    data = output.get("data", {})
    for kind in PIXELS:
        if kind in data:
            output.data = NotebookNode({"text/html": picture(kind, data[kind], output.get("metadata", {}))})
            return
    if DRAWING in data:
        output.data = NotebookNode({"text/html": data[DRAWING]})  # inside the page it keeps its title
    elif set(data) == {"text/plain"} and WIDGET.match(data["text/plain"]):
        output.data = NotebookNode({"text/html": INSTEAD})


def picture(kind: str, pixels: str, metadata: dict) -> str:
    """Return an <img> with the alt text of the output's metadata."""
    alt = metadata.get(kind, {}).get("alt") or metadata.get("alt") or ""
    return f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{"".join(pixels.split())}">'
