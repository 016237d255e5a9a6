"""Pieces of HTML. Every text is escaped here and nowhere else.

No text has a colour of its own, so that it is readable in light and in dark themes; grey lines are visible in both.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

_CELL = "padding: 3px 10px; text-align: left"


def table(caption: str, columns: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table whose columns have headers, and whose rows have their first cell for a header."""
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(str(name))}</th>' for name in columns)
    body = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        '<table rules="rows" style="border-collapse: collapse; margin: 8px 0">\n'
        f'<caption style="text-align: left; white-space: nowrap"><strong>{escape(caption)}</strong></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )


def _row(cells: Sequence[object]) -> str:
    first, *others = (escape(str(cell)) for cell in cells)
    return f'<th scope="row" style="{_CELL}">{first}</th>' + "".join(
        f'<td style="{_CELL}">{cell}</td>' for cell in others
    )


def status(text: str) -> str:
    """A sentence that a screen reader speaks when it changes, after what it is saying."""
    return f'<p role="status">{escape(text)}</p>'


def alert(text: str) -> str:
    """Why something did not work: spoken at once."""
    return f'<p role="alert" style="white-space: pre-wrap"><strong>Not possible:</strong> {escape(text)}</p>'


def code(caption: str, lines: str) -> str:
    """Lines of code or of a log as they are, under a few words that say what they are."""
    return f'<p><strong>{escape(caption)}</strong></p>\n<pre style="white-space: pre-wrap">{escape(lines)}</pre>'


def picture(png: bytes, alt: str) -> str:
    """A picture with what it says in words, which ipywidgets' own Image has no place for."""
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return f'<img alt="{escape(alt)}" src="{source}" style="max-width: 100%">'
