"""The lessons' diagrams: readable at the size at which they are shown, on any background."""

import matplotlib.image
import matplotlib.pyplot as plt
import pytest

from tools import figures

SMALLEST_PT = 9
WIDEST_PX = 900  # a notebook's column, so that nothing is shrunk


@pytest.fixture(params=sorted(figures.PICTURES))
def name(request) -> str:
    return request.param


@pytest.fixture
def figure(name):
    drawn = figures.PICTURES[name]()
    drawn.canvas.draw()
    yield drawn
    plt.close(drawn)


def test_no_text_is_small_or_cut_off(figure):
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    assert len(texts) > 10 and min(text.get_fontsize() for text in texts) >= SMALLEST_PT
    edge = figure.bbox
    for text in texts:
        box = text.get_window_extent()
        assert edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 and box.y1 <= edge.y1, text.get_text()


def test_no_text_lies_on_another(figure):
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts if text.get_text()]
    overlapping = [(a, b) for i, (a, box) in enumerate(boxes) for b, other in boxes[:i] if box.overlaps(other)]
    assert overlapping == []


def test_the_stored_picture_is_as_large_as_the_drawn_one_and_hides_its_background(name, figure):
    stored = matplotlib.image.imread(figures.IMAGES / f"{name}.png")
    width, height = figure.get_size_inches() * figures.DPI
    assert stored.shape[:2] == (round(height), round(width)) and width <= WIDEST_PX
    assert stored.shape[2] == 3 or (stored[..., 3] == 1).all()


def test_every_stored_picture_is_drawn_here():
    assert sorted(path.stem for path in figures.IMAGES.glob("*.png")) == sorted(figures.PICTURES)
