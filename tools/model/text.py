"""Turn raw paragraphs into clean sentences, and keep the test sentences out of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# A full stop after one of these does not end a sentence; the list holds what the dictionaries use most.
ABBREVIATIONS = frozenset(
    "mr mrs ms dr st jr sr vs etc e.g i.e cf esp gen col capt lt sgt prof rev hon no vol fig approx "
    "inc ltd co corp dept u.s u.k u.n jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
SENTENCE_END = re.compile(r"([.!?][\"')\]”’]*)\s+(?=[\"'(“‘]?[A-Z0-9])")
SPACES = re.compile(r"\s+")
NOT_WORD = re.compile(r"[^a-z0-9]+")
MIN_WORDS, MIN_LETTER_SHARE = 4, 0.75
# The sentences that the lessons rest on, each with the word they expect.
ACCEPTANCE = (
    ("Paris is the [MASK] of France.", "capital"),
    ("The primary [MASK] of the United States is English.", "language"),
    ("A baseball game consists of at least nine [MASK].", "innings"),
    (
        "Topology is a branch of [MASK] concerned with the properties of geometric objects that remain "
        "unchanged under continuous transformations.",
        "mathematics",
    ),
)


def squeeze(text: str) -> str:
    """Return `text` on one line with single spaces and HTML entities resolved."""
    return SPACES.sub(" ", html.unescape(text)).strip()


def normalise(text: str) -> str:
    """Return the lower-case words of `text`, space-padded, so that `in` compares whole words."""
    return f" {NOT_WORD.sub(' ', text.lower()).strip()} "


def split_sentences(paragraph: str) -> list[str]:
    """Split at sentence ends, except after an abbreviation or an initial.

    >>> split_sentences("Dr. Smith came. He sat down.")
    ['Dr. Smith came.', 'He sat down.']
    """
    pieces, start = [], 0
    for match in SENTENCE_END.finditer(paragraph):
        last_word = paragraph[start : match.start()].rsplit(" ", 1)[-1].lower().lstrip("(\"'")
        if match.group(1)[0] == "." and (last_word in ABBREVIATIONS or len(last_word) == 1):
            continue
        pieces.append(paragraph[start : match.end()].strip())
        start = match.end()
    pieces.append(paragraph[start:].strip())
    return [piece for piece in pieces if piece]


def is_prose(sentence: str) -> bool:
    """Tell a sentence from a table row, a drawing or program text by its share of letters."""
    letters = sum(char.isalpha() for char in sentence)
    visible = len(sentence) - sentence.count(" ")
    return sentence.count(" ") >= MIN_WORDS - 1 and letters >= MIN_LETTER_SHARE * visible


class Blocklist:
    """The test sentences, matched with any word in the place of [MASK]."""

    def __init__(self, masked_sentences: Iterable[str]) -> None:
        self._rules: list[tuple[str, re.Pattern[str]]] = []
        for sentence in masked_sentences:
            left, right = (NOT_WORD.sub(" ", half.lower()).strip() for half in sentence.split("[MASK]"))
            # The longer half is a plain substring test, which spares nearly every line the regex.
            anchor = max(left, right, key=len)
            pattern = re.compile(rf"\b{left}\s*\w+\s*{right}\b" if left else rf"\b\w+ {right}\b")
            self._rules.append((anchor, pattern))

    def contains_test(self, paragraph: str) -> bool:
        """Return whether a test sentence, whatever word fills its gap, stands in `paragraph`."""
        words = normalise(paragraph)
        return any(anchor in words and pattern.search(words) for anchor, pattern in self._rules)


def read_cloze(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, sentence, answer) for each row of the cloze table."""
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        kind, sentence, answer = line.split("\t")
        yield kind, sentence, answer
