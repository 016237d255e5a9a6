"""Length buckets: which sentences share a batch, so that hardly any padding is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..building.plan import Profile
from .graph import LARGEST, POSITIONS
from .model import INPUTS

EDGES = (16, 32, 64, 128, 512)
SMALLEST_ROW = 8  # shorter sentences count as this long when rows are counted: "[MASK]" needs no batch of 700


class Bucket(NamedTuple):
    """One optimization profile: sentences of at most ``longest`` tokens, ``rows`` of them, ``masks`` in all."""

    shortest: int
    longest: int
    rows: int
    masks: int

    def profile(self) -> Profile:
        """The shapes that this bucket needs of an engine made by ``export_decoder``."""
        shapes = [(1, self.shortest), (max(1, self.rows // 2), self.longest), (self.rows, self.longest)]
        masks = [(1, 2), (max(1, self.rows // 2), 2), (self.masks, 2)]
        return Profile({**dict.fromkeys(INPUTS, tuple(shapes)), POSITIONS: tuple(masks)})


def make_buckets(longest: int, tokens: int, edges: Sequence[int] = EDGES) -> list[Bucket]:
    """Buckets whose batches have about ``tokens`` tokens, padding included.

    Parameters:
        longest: the largest number of tokens in a sentence that the model can read.
        edges: the longest sentence of each bucket; what is beyond ``longest`` is left out.
    """
    edges = [edge for edge in edges if edge < longest] + [longest]
    buckets, shortest = [], 3  # "[MASK]" alone: [CLS] [MASK] [SEP]
    for edge in edges:
        rows = min(LARGEST, max(1, tokens // max(shortest, SMALLEST_ROW)))
        buckets.append(Bucket(shortest, edge, rows, masks=max(rows, longest)))
        shortest = edge + 1
    return buckets


def bucket_for(buckets: Sequence[Bucket], length: int) -> int:
    """The index of the bucket for a batch whose longest sentence has ``length`` tokens."""
    return next(i for i, bucket in enumerate(buckets) if length <= bucket.longest)


def sorted_batches(
    lengths: Sequence[int], masks: Sequence[int], buckets: Sequence[Bucket], tokens: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Put sentences of similar length together, the longest first.

    Parameters:
        lengths: the tokens of each sentence.
        masks: the masks in each sentence.
        tokens: how many tokens a batch may have, padding included. A single sentence may have more.

    Yields:
        The bucket's index, and the indices of the batch's sentences. Each sentence comes once.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        index = bucket_for(buckets, longest)
        bucket = buckets[index]
        end = start + max(1, min(bucket.rows, tokens // max(longest, SMALLEST_ROW)))
        asked = np.cumsum([masks[i] for i in order[start:end]])
        end = start + max(1, int(np.searchsorted(asked, bucket.masks, side="right")))
        yield index, order[start : min(end, len(order))]
        start = min(end, len(order))
