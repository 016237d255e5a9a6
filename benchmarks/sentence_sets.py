"""The two sets of sentences, and the tenth of each that slow rows run on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
SETS = ("short", "mixed")


def read(name: str) -> list[str]:
    """All sentences of a set, in the order of its file."""
    return (DATA / f"{name}.txt").read_text(encoding="ascii").splitlines()


def spread_sample(lengths: Sequence[int], count: int) -> list[int]:
    """Indices of ``count`` sentences with the same spread of lengths as all of them, in the order of the file.

    Every n-th of the sentences in the order of their lengths, from the middle of each n: a slow row then does the
    same work for a sentence as a fast one that runs on all of them.
    """
    by_length = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    step = len(lengths) / count
    return sorted(by_length[int(step * (i + 0.5))] for i in range(count))
