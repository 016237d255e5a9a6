"""A picture in a notebook: IPython's Image with its alt text, also where IPython is as old as Colab's."""

import inspect
import subprocess
import sys

import IPython.display
import pytest
from IPython.core.formatters import DisplayFormatter

from trt_helpers.course import plots

PNG = plots.draw_waterfall({"one by one": 80.0, "in one batch": 20.0})
ALT = 'Two bars: the "batch" takes <a quarter>.'


class ImageOf734:
    """IPython 7.34's Image: its signature, and what it makes of ``metadata``."""

    def __init__(
        self,
        data=None,
        url=None,
        filename=None,
        format=None,
        embed=None,
        width=None,
        height=None,
        retina=False,
        unconfined=False,
        metadata=None,
    ):
        self.data, self.metadata = data, metadata or {}

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/png": self.data}, {"image/png": self.metadata}


def test_a_picture_works_with_ipython_7_34(monkeypatch):
    monkeypatch.setattr(IPython.display, "Image", ImageOf734)
    data, metadata = plots.picture(PNG, ALT)._repr_mimebundle_()
    assert data == {"image/png": PNG}
    assert metadata == {"image/png": {"alt": ALT}}


def test_the_stand_in_does_not_know_alt():
    with pytest.raises(TypeError, match="alt"):
        ImageOf734(PNG, alt=ALT)


@pytest.mark.skipif(
    "alt" not in inspect.signature(IPython.display.Image).parameters, reason="this IPython is as old as Colab's"
)
def test_the_output_is_that_of_images_own_alt():
    ours, ipythons = plots.picture(PNG, ALT), IPython.display.Image(PNG, alt=ALT)
    assert ours.alt == ALT
    assert DisplayFormatter().format(ours) == DisplayFormatter().format(ipythons)


@pytest.mark.parametrize("alt", ["", " \n"])
def test_an_empty_alt_text_is_refused_and_the_message_says_what_it_is_for(alt):
    with pytest.raises(ValueError) as raised:
        plots.picture(PNG, alt)
    for words in ("needs an alt text", "what there is to see", "those who cannot see it"):
        assert words in str(raised.value)


def test_drawing_needs_no_ipython():
    code = f"import sys, {plots.__name__}; print('IPython' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert run.stdout.split() == ["False"], run.stderr
