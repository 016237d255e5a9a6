"""The checks of the browser tests, on pages that are bad on purpose."""

import pytest

from tests.browser.pages import LOW_CONTRAST, broken_links, check_page, foreign_loads

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


def test_a_good_page_is_let_pass(open_page) -> None:
    page, watch = open_page()
    page.set_content(f"<article><h1>Title</h1><img src='{PIXEL}' alt='a dot'></article>")
    assert check_page(page) == [] and page.evaluate(LOW_CONTRAST, 4.5) == [] and watch.complaints() == []


@pytest.mark.parametrize(
    ("inside", "complaint"),
    [
        ("", "no title"),
        ("<h1>a</h1><h1>b</h1>", "no title, or several"),
        (f"<h1>a</h1><img src='{PIXEL}'>", "without alt text"),
        (f"<h1>a</h1><img src='{PIXEL}' alt=' '>", "without alt text"),
        ("<h1>a</h1><div style='width: 3000px'>a</div>", "wider than the window"),
        ("<h1>a</h1>VBox(children=(Text(),))", "a widget's inside: VBox(children="),
    ],
)
def test_a_bad_page_is_told(open_page, inside, complaint) -> None:
    page, _ = open_page()
    page.set_content(f"<article>{inside}</article>")
    (found,) = check_page(page)
    assert complaint in found


def test_a_picture_that_cannot_be_shown_is_told(open_page) -> None:
    page, _ = open_page()
    page.set_content("<article><h1>a</h1><img src='data:image/png;base64,AAAA' alt='nothing'></article>")
    with pytest.raises(Exception, match="cannot be decoded"):
        check_page(page)


def test_faint_text_is_told(open_page) -> None:
    page, _ = open_page()
    page.set_content("<article><p style='color: #999; background: #fff'>faint</p><p>clear</p></article>")
    assert page.evaluate(LOW_CONTRAST, 4.5) == ["faint: 2.8"]


@pytest.mark.parametrize(
    ("script", "event", "kind"),
    [
        ("console.error('bad')", "console", "errors"),
        ("setTimeout(() => { throw new Error('bad') })", "pageerror", "errors"),
        ("fetch('/bad')", "response", "failed"),
        ("new Image().src = 'http://bad.invalid/dot.png'", "request", "foreign"),
    ],
)
def test_what_goes_wrong_in_a_page_is_noted(open_page, small_site, script, event, kind) -> None:
    page, watch = open_page()
    page.goto(f"{small_site}/index.html")
    assert watch.complaints() == []
    with page.expect_event(event):
        page.evaluate(f"() => {{ {script} }}")
    assert any("bad" in row for row in getattr(watch, kind))


def test_broken_links_are_found_on_disk(tmp_path) -> None:
    links = ["b.html", "b.html#place", "#here", "gone.html", "b.html#gone", "https://example.org/", "a.html?x=1"]
    (tmp_path / "a.html").write_text("<p id=here>" + "".join(f"<a href='{link}'>x</a>" for link in links))
    (tmp_path / "b.html").write_text("<p id=place><img src=gone.png>")
    assert sorted(broken_links(tmp_path)) == ["a.html: b.html#gone", "a.html: gone.html", "b.html: gone.png"]


def test_loads_from_another_host_are_found_on_disk(tmp_path) -> None:
    (tmp_path / "a.html").write_text("<a href='https://a.example/'>x</a><script src='https://b.example/x.js'></script>")
    (tmp_path / "a.css").write_text("@import '//c.example/x.css'; p { background: url(data:image/png;base64,AA) }")
    assert foreign_loads(tmp_path) == ["https://b.example/x.js", "//c.example/x.css"]
