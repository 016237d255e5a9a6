"""Whole lists of sentences to token ids, and ids back to words: what ``tokenize`` does for one batch, for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from .answers import Candidate, no_mask, not_text, too_long

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class BulkTokenizer:
    """A tokenizer for lists. The work is done in Rust, on all cores (``TOKENIZERS_PARALLELISM=false``: on one).

    Parameters:
        tokenizer: a fast tokenizer of transformers.
        longest: the largest number of tokens in a sentence, with the two that the tokenizer adds.

    Raises:
        ValueError: it is a slow one, which has no part in Rust.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, longest: int) -> None:
        if not tokenizer.is_fast:
            raise ValueError(f"{type(tokenizer).__name__} is a slow tokenizer; load one with a tokenizer.json")
        # A copy, because transformers sets padding and truncation on the one that others use.
        self._rust = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._rust.no_padding()
        self._rust.no_truncation()
        self._mask, self._longest = tokenizer.mask_token, longest
        self.mask_id, self.pad_id = tokenizer.mask_token_id, tokenizer.pad_token_id
        self._words = {index: word for word, index in self._rust.get_vocab().items()}

    def problems_and_ids(self, sentences: Sequence[object]) -> tuple[list[str], list[list[int]]]:
        """What is wrong with each sentence ("": nothing), and the token ids of each, ``[]`` for a bad one."""
        problems = [not_text(s, self._mask) or no_mask(s, self._mask) for s in sentences]
        good = [i for i, problem in enumerate(problems) if not problem]
        ids: list[list[int]] = [[]] * len(sentences)
        for i, encoded in zip(good, self._rust.encode_batch_fast([sentences[i] for i in good]), strict=True):
            row = encoded.ids
            problems[i] = too_long(sentences[i], len(row), self._longest)
            ids[i] = [] if problems[i] else row
        return problems, ids

    def candidates(self, ids: np.ndarray, probabilities: np.ndarray) -> list[list[Candidate]]:
        """For each row of two arrays (masks, k) the words with their probabilities."""
        count, k = ids.shape
        words = map(self._words.get, ids.ravel().tolist())
        flat = list(map(Candidate, words, probabilities.ravel().tolist()))
        return [flat[i : i + k] for i in range(0, count * k, k)]
