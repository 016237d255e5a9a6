"""What every page of the site must be like. Each check is tested on bad pages (test_checks.py)."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

from playwright.sync_api import Page

# Takes the contrast that is asked for, and returns the texts that have less.
LOW_CONTRAST = Path(__file__).with_name("low_contrast.js").read_text()
ELSEWHERE = re.compile(r"\w+:|//")


def check_page(page: Page) -> list[str]:
    """Return what is wrong with the page that is open: its title, its pictures, its width."""
    wrong = [] if page.locator("article h1").count() == 1 else ["no title, or several"]
    for picture in page.locator("article img").all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("picture => picture.decode()")  # raises if it cannot be shown
        if not (picture.get_attribute("alt") or "").strip():
            wrong.append(f"a picture without alt text: {picture.get_attribute('src')[:80]}")
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append("wider than the window")
    if found := re.search(r"Error displaying widget|\w+\(children=|Loading widget", page.inner_text("article")):
        wrong.append(f"shows a widget's inside: {found[0]}")
    return wrong


class Links(HTMLParser):
    """Collects what a page links to, what it loads, and the names of its places."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.links, self.loads, self.places = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        found = dict(attrs)
        self.places |= {found.get("id"), found.get("name")}
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        self.loads |= {found[key] for key in ("src", "srcset", "data", "poster") if found.get(key)}
        if tag == "link" and found.get("href"):
            self.loads.add(found["href"])


def links_of(folder: Path) -> dict[Path, Links]:
    """Return the links of all pages below a folder."""
    return {path.resolve(): Links(path.read_text()) for path in folder.rglob("*.html")}


def broken_links(folder: Path) -> list[str]:
    """Return the links inside a site whose file, or place in it, does not exist."""
    pages, broken = links_of(folder), []
    for path, page in pages.items():
        for target in page.links | page.loads:
            url, anchor = urldefrag(target)
            if ELSEWHERE.match(url):
                continue
            goal = (path.parent / unquote(url.split("?")[0])).resolve() if url else path
            found = goal.exists() and (goal not in pages or not anchor or unquote(anchor) in pages[goal].places)
            broken += [] if found else [f"{path.name}: {target}"]
    return broken


def foreign_loads(folder: Path) -> list[str]:
    """Return what pages or style sheets load from another host."""
    loads = {target for page in links_of(folder).values() for target in page.loads}
    styles = "\n".join(path.read_text() for path in folder.rglob("*.css"))
    inside = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^)\"';]*)", styles)
    return [target for target in loads if re.match(r"https?:|//", target)] + inside
