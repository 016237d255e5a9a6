"""What becomes of a sentence: words for each ``[MASK]``, or what is wrong with it. Plain data, no PyTorch in here."""

from __future__ import annotations

from typing import NamedTuple


class Candidate(NamedTuple):
    """A word that could stand for ``[MASK]``, with its probability."""

    word: str
    probability: float


class Filled(NamedTuple):
    """What became of one sentence: the candidates for each ``[MASK]``, in order, or the reason why there are none."""

    sentence: str
    candidates: list[list[Candidate]]
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.sentence!r}: {self.problem}"
        words = "; ".join(", ".join(c.word for c in candidates) for candidates in self.candidates)
        return f"{self.sentence} -> {words}"


class SentenceError(ValueError):
    """Sentences that cannot be used. ``problems`` says for each, by its index, what is wrong and what to do."""

    def __init__(self, problems: dict[int, str]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"Sentence {index}: {problem}" for index, problem in problems.items()))

    def __reduce__(self) -> tuple:
        return SentenceError, (self.problems,)


def not_text(sentence: object, mask: str) -> str:
    """What is wrong with a sentence before anybody counts its tokens; ``""`` if nothing is."""
    if not isinstance(sentence, str):
        return f"this is {type(sentence).__name__}, not text. Pass sentences as str."
    if not sentence.strip():
        return f"it is empty. Write one with {mask} where the word is missing."
    return ""


def too_long(sentence: str, tokens: int, longest: int) -> str:
    """What to say of a sentence with this many tokens; ``""`` if it has no more than ``longest``."""
    if tokens <= longest:
        return ""
    return f"{sentence[:30]!r}... has {tokens} tokens, at most {longest} are allowed. Shorten it, or split it."


def no_mask(sentence: str, mask: str) -> str:
    """What to say of a sentence in which no word is missing; ``""`` if one is."""
    if mask in sentence:
        return ""
    return f"it has no {mask}. Put {mask}, with brackets and capitals, where the word is missing."
