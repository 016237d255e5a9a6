"""Whether two rows give the same answers.

An answer is, for one sentence, its five likeliest words as (token id, probability) pairs, the likeliest first.
"""

from __future__ import annotations

from collections.abc import Sequence

Answer = Sequence[tuple[int, float]]


def same_top(found: Answer, expected: Answer, tolerance: float) -> bool:
    """Whether two answers agree but for rounding.

    A word that both have must have the same probability, up to ``tolerance``. A word that one of them lacks must be
    that close to the last place of the other, where it lost. So words with nearly the same probability may change
    places, and no others.
    """
    return len(found) == len(expected) and all(
        _explained(mine, theirs, tolerance) for mine, theirs in ((found, expected), (expected, found))
    )


def _explained(mine: Answer, theirs: Answer, tolerance: float) -> bool:
    others = dict(theirs)
    last = min(others.values(), default=0.0)
    return all(abs(p - others.get(word, last)) <= tolerance for word, p in mine) and _is_sorted(mine, tolerance)


def _is_sorted(answer: Answer, tolerance: float) -> bool:
    return all(a[1] >= b[1] - tolerance for a, b in zip(answer, answer[1:], strict=False))


def share_with_same_top(found: Sequence[Answer], expected: Sequence[Answer], tolerance: float) -> float:
    """The share of sentences on which two rows agree."""
    return sum(same_top(a, b, tolerance) for a, b in zip(found, expected, strict=True)) / len(expected)


def share_with_same_first(found: Sequence[Answer], expected: Sequence[Answer]) -> float:
    """The share of sentences whose likeliest word is the same, whatever its probability."""
    return sum(a[0][0] == b[0][0] for a, b in zip(found, expected, strict=True)) / len(expected)
