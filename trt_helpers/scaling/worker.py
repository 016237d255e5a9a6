"""A worker: one process with one engine and one decoder, which answers part after part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..decoding.answers import Filled
from ..decoding.decoder import MaskedWordDecoder
from ..decoding.model import load_tokenizer
from ..engine import load_engine
from ..lanes import device
from . import parts
from .reports import PartDone

if TYPE_CHECKING:
    import ray

# How many workers a part may cost, and how often each worker may die loading. Ray would start new ones for ever.
TRIES = 3
LOADING = "part-loading"  # like a part's name, so that its notes are cleared away with theirs
KILLER = f"not decoded: {TRIES} workers died over the rows of this part."

Decoder = Callable[..., list[Filled]]


def from_plan(
    plan: str | Path, model: str | Path | None = None, copies: ray.ObjectRef | None = None
) -> MaskedWordDecoder:
    """A worker's decoder, from a plan that was built once. Nothing is built or exported by a worker.

    Parameters:
        plan: a file that every worker can read, or ``copies`` are taken.
        model: where the tokenizer is, as for ``load_masked_lm``.
        copies: the plan's bytes in Ray's object store, for machines that do not have the file.
    """
    if os.path.exists(plan) or copies is None:
        return MaskedWordDecoder.from_plan(plan, model)
    import ray

    return MaskedWordDecoder(load_engine(ray.get(copies)), load_tokenizer(model))


class Worker:
    """One process, one engine, one decoder. Decodes a part and writes its file.

    Parameters:
        make_decoder: called once, in the worker's process.
        folder: where the parts go.
        threads: CPU threads of the engine.
        workers: how many there are.

    Raises:
        RuntimeError: too many workers died here, before they could do anything.
    """

    def __init__(
        self, make_decoder: Callable[[], Decoder], folder: str, top_k: int, threads: int, workers: int
    ) -> None:
        # Read when the engine is loaded.
        os.environ["TRT_HELPERS_THREADS"] = str(threads)
        if device.type == "cpu":  # a GPU answers faster than one core can tokenise
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        if parts.times_begun(folder, LOADING) > TRIES * workers:
            raise RuntimeError(
                f"every worker died {TRIES} times while it loaded its engine, and none came to its first row. Is there "
                "too little memory for so many? `python -m trt_helpers` says what this machine has."
            )
        self._decoder, self._folder, self._top_k = make_decoder(), folder, top_k
        parts.forget_begun(folder, LOADING)

    def __call__(self, part: dict) -> dict:
        """Decode the part's sentences and write all answers; returns a ``PartDone`` as a dictionary."""
        started = time.time()
        if parts.times_begun(self._folder, part["part"]) > TRIES:
            filled = [Filled(text or "", [], KILLER) for text in part["texts"]]
        else:
            filled = self._filled(part["texts"])
        errors = parts.write_part(self._folder, part, filled)
        parts.forget_begun(self._folder, part["part"])
        return PartDone(part["part"], len(filled), errors, started, time.time(), os.getpid(), own_memory())._asdict()

    def _filled(self, texts: list[str | None]) -> list[Filled]:
        """An answer for each row; None is a row without a sentence, whose error is known already."""
        sentences = [text for text in texts if text is not None]
        decoded = iter(self._decoder(sentences, top_k=self._top_k, progress=False))
        return [Filled("", []) if text is None else next(decoded) for text in texts]


def own_memory() -> int:
    """Bytes that this process has for itself; on Linux without what it shares with others.

    Those are libraries, and Ray's object store: every part that a worker reads is somewhere else in there, so that its
    resident size grows with each, up to the size of the store.
    """
    found = psutil.Process().memory_info()
    return found.rss - getattr(found, "shared", 0)
