"""What all views are: a panel with controls above and a result below."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from ...errors import TensorRTError
from . import html


class Panel(widgets.VBox):
    """Controls, and below them a result that follows every change of a control.

    A panel is built of controls that say their own name to a screen reader and work from the keyboard (ipywidgets'
    sliders do not). Nothing is printed: callbacks have no cell to print to.

    Attributes:
        result: what there is to see; ``result.value`` is HTML.
    """

    title: str

    def __init__(self, controls: Sequence[widgets.Widget], *shown: widgets.Widget) -> None:
        self.result = widgets.HTML()
        rows = [widgets.HBox(list(controls), layout=widgets.Layout(flex_flow="row wrap")), *shown, self.result]
        super().__init__(rows)
        for control in controls:
            control.observe(self.refresh, names="value")
        self.refresh()

    def refresh(self, change: object = None) -> None:
        """Show the result for what the controls say now, whatever has changed."""
        try:
            self.result.value = self.render()
        except TensorRTError as error:
            self.result.value = html.alert(str(error))

    def render(self) -> str:
        """The HTML for what the controls say now. Every panel has its own."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """What a reader sees where no widget can be shown. (Jupyter cuts it after 110 characters.)"""
        return f"{self.title}: controls appear here while the notebook runs; below is a result without them."


def labelled(kind: type[widgets.Widget], description: str, **options: object) -> widgets.Widget:
    """A control whose whole label can be read, however long it is."""
    return kind(description=description, style={"description_width": "initial"}, **options)
