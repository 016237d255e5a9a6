"""The built site in a browser: navigation, search, pictures, phones, light and dark; nothing from elsewhere."""

from pathlib import Path
from urllib.parse import urldefrag, urljoin

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import LOW_CONTRAST, broken_links, check_page, foreign_loads

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SIDEBAR, NEXT, PREVIOUS = ".sidebar-tree a.reference", ".related-pages a.next-page", ".related-pages a.prev-page"


def addresses(page: Page, selector: str) -> list[str]:
    """Return where links lead, without what follows a #."""
    return [urldefrag(url)[0] for url in page.locator(selector).evaluate_all("links => links.map(link => link.href)")]


def test_next_leads_through_all_pages_of_the_navigation_and_each_is_good(open_page, site) -> None:
    page, watch = open_page()
    page.goto(f"{site}/index.html")
    titles, visited, wrong = [page.locator("article h1").inner_text()], [page.url], {}
    while page.locator(NEXT).count():
        page.locator(NEXT).click()
        page.wait_for_url(lambda url: url != visited[-1])
        assert addresses(page, PREVIOUS) == [visited[-1]]
        visited.append(page.url)
        titles.append(page.locator("article h1").inner_text())
        if complaints := check_page(page):
            wrong[page.url] = complaints
    assert wrong == {} and watch.complaints() == []
    assert titles[1].startswith("1 · Core concepts") and len(titles) == len(set(titles)) > 40
    assert set(visited[1:]) == set(addresses(page, SIDEBAR))


def test_the_search_finds_the_lesson_and_not_its_solution(open_page, site, picture) -> None:
    page, watch = open_page()
    page.goto(f"{site}/index.html")
    page.get_by_role("textbox", name="Search").fill("satisfyProfile")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a")
    expect(results.filter(has_text="3 · Setting shapes").first).to_be_visible()
    expect(page.locator("#search-results")).to_contain_text("Search finished")
    picture(page, "site-search")
    assert not [title for title in results.all_inner_texts() if "(solved)" in title]
    results.filter(has_text="3 · Setting shapes").first.click()
    expect(page.locator("article h1")).to_contain_text("3 · Setting shapes")
    expect(page.locator("article .highlighted").first).to_be_visible()
    assert watch.complaints() == []


def test_a_section_named_on_the_first_page_is_reached(open_page, site) -> None:
    page, _ = open_page()
    page.goto(f"{site}/index.html")
    page.get_by_role("link", name="Who keeps whom alive").click()
    expect(page.get_by_role("heading", name="Who keeps whom alive")).to_be_in_viewport()


def test_the_site_is_used_from_the_keyboard(open_page, site, picture) -> None:
    """Skip to the text, open a folded hint, and go to the next page, with Tab, Enter and Space alone."""
    page, _ = open_page(reduced_motion="reduce")
    page.goto(f"{site}/notebooks/01_core_concepts.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "document.activeElement.matches('article summary')")
    folded = page.locator("article details").first
    assert folded.get_attribute("open") is None
    page.keyboard.press("Enter")
    expect(folded).to_have_attribute("open", "")
    expect(folded).to_be_in_viewport()
    picture(page, "site-keyboard")
    tab_to(page, "document.activeElement.matches('a.next-page')")
    page.keyboard.press("Enter")
    expect(page.locator("article h1")).to_contain_text("2 · ")


def tab_to(page: Page, condition: str) -> None:
    """Press Tab until the focus is where the condition says."""
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"300 times Tab, and never {condition}")


def test_no_page_is_wider_than_a_phone(open_page, site) -> None:
    page, watch = open_page(**PHONE)
    page.goto(f"{site}/index.html")
    wrong = {}
    for url in addresses(page, SIDEBAR):
        page.goto(url)
        if complaints := check_page(page):
            wrong[url] = complaints
    assert wrong == {} and watch.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_a_menu(open_page, site, picture, scheme) -> None:
    page, watch = open_page(color_scheme=scheme, **PHONE)
    page.goto(f"{site}/notebooks/05_masked_word_decoding.html")
    picture(page, f"site-phone-{scheme}")
    lessons = page.locator(SIDEBAR).filter(has_text="1 · Core concepts").first
    expect(lessons).not_to_be_in_viewport()
    page.locator(".mobile-header label[for=__navigation]").tap()
    expect(lessons).to_be_in_viewport(ratio=1)
    picture(page, f"site-phone-menu-{scheme}")
    lessons.tap()
    expect(page.locator("article h1")).to_contain_text("1 · Core concepts")
    assert watch.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_have_text_that_stands_out(open_page, site, picture, scheme) -> None:
    page, _ = open_page(color_scheme=scheme)
    for name in ("index", "notebooks/01_core_concepts", "notebooks/05_masked_word_decoding", "docs/errors"):
        page.goto(f"{site}/{name}.html")
        picture(page, f"site-{Path(name).name}-{scheme}", full_page=name == "notebooks/05_masked_word_decoding")
        assert page.evaluate(LOW_CONTRAST, 4.5) == [], name


def test_every_link_inside_the_site_has_an_end(site_folder) -> None:
    assert broken_links(site_folder) == []


def test_nothing_is_loaded_from_another_host(site_folder) -> None:
    assert foreign_loads(site_folder) == []


def test_the_pages_work_from_the_disk(open_page, site_folder) -> None:
    page, watch = open_page()
    page.goto((site_folder / "index.html").as_uri())
    page.locator(NEXT).click()
    expect(page.locator("article h1")).to_contain_text("1 · Core concepts")
    assert urljoin(page.url, ".").endswith("/notebooks/") and watch.complaints() == []
