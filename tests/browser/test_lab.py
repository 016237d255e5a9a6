"""JupyterLab as `make lab` starts it: a lesson from the first cell to the last, and an exercise from the keyboard."""

import re
from collections.abc import Callable
from functools import cache

import nbformat
import torch
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import Lab
from tools.notebooks import ROOT
from trt_helpers.decoding.model import MaskedLM, load_masked_lm

LESSON_MS = 240_000  # a lesson takes half a minute on two idle cores
# JupyterLab shows errors as it shows stderr; no lesson writes to stderr otherwise.
ERROR = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'
FILL_IN = "05_masked_word_decoding.ipynb"
STREAMS = "04_async_execution_and_streams.ipynb"


def stored_cells(name: str) -> list[nbformat.NotebookNode]:
    """Return the cells of a notebook as it is stored."""
    return nbformat.read(ROOT / "notebooks" / name, 4).cells


def open_notebook(page: Page, lab: Lab, name: str) -> Locator:
    """Open a notebook and wait until it is all there and its kernel is ready; return its panel."""
    page.goto(lab.url(name))
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-Cell")).to_have_count(len(stored_cells(name)))
    expect(panel.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute("data-status", "idle")
    expect(panel.locator(".jp-Cell.jp-mod-active")).to_be_focused()
    return panel


def menu(page: Page, name: str, entry: str) -> None:
    """Choose an entry of a menu."""
    page.get_by_role("menuitem", name=name, exact=True).click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def run_all(page: Page, panel: Locator, cells: int) -> None:
    """Throw stored outputs away, so that what is shown afterwards is new; run all cells, and wait for the last."""
    prompts = panel.locator(".jp-CodeCell .jp-InputArea-prompt")
    menu(page, "Edit", "Clear Outputs of All Cells")
    expect(prompts).to_have_text(["[ ]:"] * cells)
    menu(page, "Run", "Run All Cells")
    expect(prompts).to_have_text([f"[{number}]:" for number in range(1, cells + 1)], timeout=LESSON_MS)


def test_lesson_5_runs_from_the_first_cell_to_the_last_and_its_view_answers(open_page, lab, picture) -> None:
    page, watch = open_page()
    panel = open_notebook(page, lab, FILL_IN)
    code = [cell for cell in stored_cells(FILL_IN) if cell.cell_type == "code"]
    run_all(page, panel, len(code))
    # Errors are where the lesson wants them, and they are the errors that it stores.
    wanted = [output for cell in code for output in cell.outputs if output.output_type == "error"]
    shown = [squeezed(text) for text in panel.locator(ERROR).all_text_contents()]
    assert len(shown) == len(wanted) > 0
    assert all(squeezed(error.evalue) in text for error, text in zip(wanted, shown, strict=True))
    type_into_the_view(page, panel, picture)
    assert watch.complaints() == []


def type_into_the_view(page: Page, panel: Locator, picture: Callable[..., bytes]) -> None:
    """Type into "fill in the blank" of the lesson that has run, and read from the page what the engine proposes."""
    field = page.get_by_label("sentence", exact=True)
    view = panel.locator(".jp-OutputArea-output").filter(has=field)
    for sentence in ("Rome is the capital of [MASK].", "He drank a cup of [MASK]."):
        expected = best_words(sentence)
        assert expected[0] not in view.inner_text()  # what comes is new
        enter(page, field, sentence)
        expect(view.get_by_role("status")).to_contain_text(expected[0])
        assert view.get_by_role("row").locator("td:nth-child(2)").all_inner_texts() == expected
        expect(view.get_by_role("img", name=re.compile(f"Bar chart: .*{expected[0]}"))).to_be_visible()
        picture(page, f"lab-view-{expected[0]}")
    enter(page, field, "Nothing is missing.")
    expect(view.get_by_role("alert")).to_contain_text("it has no [MASK]")
    expect(view.get_by_role("img")).to_have_count(0)
    picture(page, "lab-view-refused")


def enter(page: Page, field: Locator, text: str) -> None:
    """Type a text in place of the old one."""
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


@cache
def masked_lm() -> MaskedLM:
    """Return the course's model, for PyTorch to run."""
    return load_masked_lm()


def best_words(sentence: str) -> list[str]:
    """Return the five likeliest words for the only [MASK], as PyTorch alone finds them."""
    lm = masked_lm()
    tokens = lm.tokenizer(sentence, return_tensors="pt")
    place = tokens["input_ids"][0].tolist().index(lm.tokenizer.mask_token_id)
    with torch.no_grad():
        ids = lm.model(**tokens).logits[0, place].topk(5).indices
    return lm.tokenizer.convert_ids_to_tokens(ids.tolist())


def squeezed(text: str) -> str:
    """Return a text without white space, which a browser shows in its own way."""
    return re.sub(r"\s", "", text)


def active_cell(page: Page) -> Locator:
    """Return the cell that the keyboard acts on."""
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell.jp-mod-active")


def run_down_to(page: Page, code: str) -> Locator:
    """Run cell after cell with Shift+Enter until the one with `code` is active; return that cell."""
    return go_down_to(page, code, key="Shift+Enter")


def go_down_to(page: Page, code: str, key: str = "ArrowDown") -> Locator:
    """Press a key that leads to the next cell, until the one with `code` is active; return that cell."""
    cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").count()
    for place in range(cells):
        cell = active_cell(page)
        expect(cell).to_have_attribute("data-windowed-list-index", str(place))
        if code in (cell.locator(".cm-content").first.text_content() if cell.locator(".cm-content").count() else ""):
            return cell
        page.keyboard.press(key)
    raise AssertionError(f"no cell has {code}")


def answer(page: Page, line: str) -> None:
    """Replace the first line of the active cell and run it: Enter to edit, Control and Enter to run."""
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Home")
    page.keyboard.press("Shift+End")
    page.keyboard.type(line)
    page.keyboard.press("Control+Enter")


def test_an_exercise_is_solved_wrongly_then_rightly_by_keyboard_alone(open_page, lab, picture) -> None:
    page, watch = open_page()
    open_notebook(page, lab, "01_core_concepts.ipynb")
    cell = run_down_to(page, "practice.check_row_profile(")
    said = cell.locator(".jp-OutputArea-output")
    expect(said).to_contain_text("Not solved yet")  # the stub, as it is stored

    answer(page, "my_profile = th.Profile(x=((1, 10), (8, 10), (16, 10)))")
    expect(said).to_contain_text("(32, 10)", timeout=LESSON_MS)
    assert "Not yet." in said.inner_text() and "x:" in said.inner_text()
    picture(page, "lab-exercise-wrong")

    answer(page, "my_profile = th.Profile(x=((1, 10), (8, 10), (32, 10)))")
    expect(said).to_contain_text("Right.")
    expect(said).not_to_contain_text("Not yet")
    picture(page, "lab-exercise-right")
    assert watch.complaints() == []


def test_the_stream_timeline_of_lesson_4_follows_its_controls(open_page, lab, picture) -> None:
    """From the keyboard: one context less, then one stream less; text, picture and table are measured anew."""
    page, watch = open_page(viewport={"width": 1280, "height": 1600})
    panel = open_notebook(page, lab, STREAMS)
    go_down_to(page, "course.StreamTimeline(")
    menu(page, "Run", "Run All Above Selected Cell")
    page.keyboard.press("Control+Enter")
    streams, contexts = (page.get_by_label(name, exact=True) for name in ("streams", "contexts"))
    view = panel.locator(".jp-OutputArea-output").filter(has=streams)
    says, rows = view.get_by_role("status"), view.get_by_role("row")
    expect(says).to_contain_text("Two contexts on two streams", timeout=LESSON_MS)
    assert panel.locator(ERROR).count() == 0
    picture(view, "lab-streams-2-contexts-2")
    seen = [view.get_by_role("img").get_attribute("src")]

    streams.focus()
    page.keyboard.press("Tab")
    expect(contexts).to_be_focused()
    choose_the_one_before(page)
    expect(says).to_contain_text("only copies overlap. Two executions at once for 0.00 ms")
    expect(view.get_by_role("img", name="One context on two streams at once is undefined")).to_be_visible()
    expect(rows.filter(has_text=re.compile("^stream 2"))).to_have_count(6)
    picture(view, "lab-streams-2-contexts-1")
    seen.append(view.get_by_role("img").get_attribute("src"))

    page.keyboard.press("Shift+Tab")
    expect(streams).to_be_focused()
    choose_the_one_before(page)
    expect(says).to_contain_text("One stream does one thing after the other")
    expect(rows.filter(has_text=re.compile("^stream 2"))).to_have_count(0)
    expect(rows.filter(has_text=re.compile("^stream 1"))).to_have_count(12)
    picture(view, "lab-streams-1-contexts-1")
    seen.append(view.get_by_role("img").get_attribute("src"))
    assert len(set(seen)) == 3 and view.get_by_role("alert").count() == 0
    assert watch.complaints() == []


def choose_the_one_before(page: Page) -> None:
    """Open the list that has the focus and go up in it. (JupyterLab takes a closed one's arrows for itself.)"""
    for key in ("Space", "ArrowUp", "Enter"):
        page.keyboard.press(key)
