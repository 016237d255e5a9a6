"""Links that stay on the site.

Pages lie on the site as in the repository, so most links are right as they are. The others are mended here: a file of
trt_helpers is a page, a folder leads to its list, and a link to what has no page becomes plain text. A link to what
does not exist is left alone, for Sphinx to complain about.
"""

import os
import re
from pathlib import PurePosixPath

from tools.site.contents import Contents

# Code first, so that nothing inside it is taken for a link; a link may have code in its text.
CODE_OR_LINK = re.compile(
    r"(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)|(?<!`)`(?P<name>[^`\n]+)`(?!`))"
    r"|(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)",
    re.MULTILINE | re.DOTALL,
)
PLACE = re.compile(r"\blesson (?P<number>\d+)(?P<sections>(?:, \*[^*\n|]+\*)+)")
WITH_SCHEME = re.compile(r"\w+:")


def mended(text: str, page: str, contents: Contents) -> str:
    """Return a page's Markdown with links that lead somewhere on the site; `page` is where it lies."""

    def mend(found: re.Match[str]) -> str:
        if not found["code"]:
            return link(found, page, contents)
        if found["name"] not in contents.code:
            return found[0]
        return f"[{found[0]}]({relative(contents.page(found['name']), page)})"  # a file's name leads to the file

    return CODE_OR_LINK.sub(mend, text)


def link(found: re.Match[str], page: str, contents: Contents) -> str:
    """Return one link mended, or only its text where it would leave the site."""
    text, target, anchor = found["text"], found["target"], found["anchor"] or ""
    if WITH_SCHEME.match(target):
        return found[0]
    name = os.path.normpath(os.path.join(os.path.dirname(page), target))
    goal = contents.page(name)
    if goal is None:
        return text if (contents.root / name).exists() else found[0]
    section = re.search(r"\*(.+)\*", text)
    if section and section[1] in contents.lessons.get(name, ()):
        anchor = anchor or f"#{slug(section[1])}"
    return f"[{text}]({relative(goal, page)}{anchor})"


def with_places(text: str, page: str, contents: Contents) -> str:
    """Return a text in which `lesson 3, *Refused*` links to that section."""

    def place(found: re.Match[str]) -> str:
        lesson = contents.lesson(int(found["number"]))
        sections = re.findall(r"\*([^*]+)\*", found["sections"])
        if lesson is None or not set(sections) <= contents.lessons[lesson]:
            return found[0]
        links = [f"[*{section}*]({relative(lesson, page)}#{slug(section)})" for section in sections]
        return ", ".join([f"lesson {found['number']}", *links])

    return PLACE.sub(place, text)


def relative(name: str, page: str) -> str:
    """Return the way from a page to a file, both named from the root."""
    return PurePosixPath(os.path.relpath(name, os.path.dirname(page) or ".")).as_posix()


def slug(title: str) -> str:
    """Return the anchor that MyST gives to a title, which is GitHub's."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
