"""``MaskedWordDecoder``: many sentences in, the missing words out, as fast as the engine goes.

    decoder = MaskedWordDecoder.from_pretrained()
    decoder(["Paris is the [MASK] of France.", "She opened the [MASK] and went [MASK]."], top_k=5)

``fill_in`` (lesson 5) is the short way. This one is for many sentences: it tokenises lists at once, sorts them by
length so that little padding is computed, and asks an engine that decodes inside (``graph.py``).
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from ..binding import context_on_profile
from ..building.progress import is_wanted
from ..engine import load_engine
from ..errors import TensorRTError
from ..lanes import device, trt
from ..look_ahead import read_ahead
from ..timeline import Timeline
from .answers import Candidate, Filled
from .buckets import make_buckets, sorted_batches
from .graph import OUTPUTS, export_decoder
from .in_flight import Slot, Streams
from .model import load_masked_lm, load_tokenizer, longest_sequence
from .plans import buckets_of, built_once
from .tokenizer import BulkTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a batch may have in tokens, padding included. On two CPU cores 1024 to 4096 were equally fast, smaller and
# larger ones slower, and 1024 took the least memory. On an H100 larger was faster up to 16384; what 32768 added was
# within the noise (benchmarks/results/cuda.md).
TOKENS = {"cpu": 1024, "cuda": 16384}
# How many batches are with the device at once. On the CPU a second one would only wait for the cores of the first.
IN_FLIGHT = {"cpu": 1, "cuda": 3}
WINDOW = 4096  # sentences that are sorted together
LONG_LIST = 1000  # sentences from which on a progress bar is shown


class _Window:
    """Sentences that were read together, and what is known of them so far."""

    def __init__(self, sentences: list[str], problems: list[str]) -> None:
        self.results = [Filled(s, [], problem) for s, problem in zip(sentences, problems, strict=True)]
        self.unanswered = problems.count("")

    def put(self, rows: np.ndarray, masks: list[int], candidates: list[list[Candidate]]) -> None:
        """The answers to some sentences: ``masks`` says how many of the candidates belong to each."""
        start = 0
        for row, count in zip(rows.tolist(), masks, strict=True):
            self.results[row] = Filled(self.results[row].sentence, candidates[start : start + count])
            start += count
        self.unanswered -= len(rows)


class _Batch(NamedTuple):
    """Sentences of similar length: where they stand in their window, their token ids, and the bucket they fit."""

    window: _Window
    rows: np.ndarray
    ids: list[list[int]]
    bucket: int


class MaskedWordDecoder:
    """Fills in ``[MASK]``. One request at a time: give each thread a decoder of its own; they may share the engine.

    Parameters:
        engine: built from ``export_decoder``, one optimization profile for each length bucket.
        tokenizer: the model's own, a fast one.
        tokens: the size of a batch in tokens, padding included; default: 1024 on the CPU, 16384 on a GPU.
        in_flight: how many batches may be with the device at once; default: 1 on the CPU, 3 on a GPU. With two or
            more, the next window of sentences is tokenised in a thread meanwhile.
        plan: the file that the engine came from, if it did.

    Attributes:
        plan: that file; ``MaskedWordDecoder.from_plan(decoder.plan)`` makes another decoder in a worker process,
            without PyTorch's weights and without a build.
        timeline: set it to a ``Timeline`` and it gets a span for every copy, execution and list that is tokenised.

    Raises:
        ValueError: the engine was built from something else, the tokenizer is not a fast one, or ``in_flight`` is
            less than 1.
    """

    def __init__(
        self,
        engine: trt.ICudaEngine,
        tokenizer: PreTrainedTokenizerBase,
        *,
        tokens: int | None = None,
        in_flight: int | None = None,
        plan: Path | None = None,
    ) -> None:
        self._in_flight = IN_FLIGHT[device.type] if in_flight is None else in_flight
        if self._in_flight < 1:
            raise ValueError(f"in_flight is the number of batches with the device at once, at least 1; got {in_flight}")
        self.plan = plan
        self._buckets = buckets_of(engine)
        self._tokens = TOKENS[device.type] if tokens is None else tokens
        longest = self._buckets[-1].longest
        self._tokenizer = BulkTokenizer(tokenizer, longest)
        self._most = engine.get_tensor_shape(OUTPUTS[0])[1]
        # What a slot has to hold: tokens, masks, and words for each.
        self._largest = max(self._tokens, longest), max(bucket.masks for bucket in self._buckets), self._most
        self._engine = engine
        self._contexts: dict[int, trt.IExecutionContext] = {}
        self._streams = Streams()
        self._idle: list[Slot] = []
        self.timeline: Timeline | None = None

    @classmethod
    def from_pretrained(
        cls, source: str | Path | None = None, *, tokens: int | None = None, in_flight: int | None = None
    ) -> MaskedWordDecoder:
        """Load a model, export it, build its plan and load that. ONNX file and plan are cached and found again.

        Parameters:
            source: as for ``load_masked_lm``: nothing for the shipped model, a folder, or a name on the Hub.

        Raises:
            FileNotFoundError, ValueError: as ``load_masked_lm``.
            TensorRTError: the build was refused.
        """
        lm = load_masked_lm(source)
        tokens = TOKENS[device.type] if tokens is None else tokens
        # The plan takes twice as much, so that other decoders on it have a choice.
        plan, engine = built_once(export_decoder(lm), make_buckets(longest_sequence(lm), 2 * tokens))
        return cls(engine, lm.tokenizer, tokens=tokens, in_flight=in_flight, plan=plan)

    @classmethod
    def from_plan(cls, plan: str | Path, source: str | Path | None = None, **options: int | None) -> MaskedWordDecoder:
        """Load a plan that is already built: no weights of PyTorch, no export, no build.

        Parameters:
            plan: a file, such as ``decoder.plan`` of another process on the same machine.
            source: where the tokenizer is, as for ``load_masked_lm``.
            options: ``tokens`` and ``in_flight``, as for the decoder itself.

        Raises:
            TensorRTError: there is no such plan, or it does not fit this machine.
            ValueError: it is a plan of something else.
        """
        return cls(load_engine(plan), load_tokenizer(source), plan=Path(plan), **options)

    def __call__(self, sentences: str | Sequence[str], top_k: int = 5, *, progress: bool | None = None) -> list[Filled]:
        """The ``top_k`` likeliest words for every ``[MASK]`` of every sentence.

        Parameters:
            top_k: 1 to 32.
            progress: show a bar; default: for 1,000 sentences or more, unless ``TRT_HELPERS_PROGRESS=0``.

        Returns:
            One ``Filled`` for each sentence, in order. A bad one carries its ``problem``; nothing is raised for it.
        """
        sentences = [sentences] if isinstance(sentences, str) else list(sentences)
        if progress is None:
            progress = len(sentences) >= LONG_LIST and is_wanted()
        with tqdm(total=len(sentences), unit=" sentences", leave=False, disable=not progress) as bar:
            return list(self._answers(sentences, self._checked(top_k), WINDOW, bar))

    def stream(self, sentences: Iterable[str], top_k: int = 5, *, window: int = WINDOW) -> Iterator[Filled]:
        """The same for an iterator that may be larger than memory, or never end: results come in order, as they can.

        Parameters:
            window: how many sentences are read ahead and sorted together. A smaller one answers sooner and pads more.
                With several batches in flight, a second window is read as well.

        Raises:
            ValueError: ``top_k`` or ``window`` is out of range. Raised here and now, before a sentence is read.
        """
        if isinstance(sentences, str):
            raise TypeError("stream takes an iterable of sentences; for one sentence call the decoder itself")
        if window < 1:
            raise ValueError(f"window is the number of sentences to sort together, at least 1; got {window}")
        return self._answers(sentences, self._checked(top_k), window)

    def _checked(self, top_k: int) -> int:
        top_k = operator.index(top_k)
        if not 1 <= top_k <= self._most:
            raise ValueError(f"top_k is 1 to {self._most}, the number of words that the engine returns; got {top_k}")
        return top_k

    def _answers(self, sentences: Iterable[str], top_k: int, window: int, bar: tqdm | None = None) -> Iterator[Filled]:
        """Windows in, results out, in the same order."""
        for batch, ids, probabilities in self._run(self._batches(sentences, window)):
            masks = [row.count(self._tokenizer.mask_id) for row in batch.ids]
            candidates = self._tokenizer.candidates(ids[:, :top_k], probabilities[:, :top_k])
            batch.window.put(batch.rows, masks, candidates)
            if bar is not None:
                bar.update(len(batch.rows))
            if not batch.window.unanswered:
                yield from batch.window.results

    def _batches(self, sentences: Iterable[str], window: int) -> Iterator[_Batch]:
        """Sort every window into batches. Nothing is read before it is needed."""
        for chunk, problems, ids in self._tokenised(sentences, window):
            current = _Window(chunk, problems)
            good = np.array([i for i, problem in enumerate(problems) if not problem], dtype=np.int64)
            lengths, masks = [len(ids[i]) for i in good], [ids[i].count(self._tokenizer.mask_id) for i in good]
            if not len(good):
                yield _Batch(current, good, [], bucket=0)  # nothing to run, and still its turn to be answered
            for bucket, chosen in sorted_batches(lengths, masks, self._buckets, self._tokens):
                rows = good[chosen]
                yield _Batch(current, rows, [ids[i] for i in rows], bucket)

    def _tokenised(self, sentences: Iterable[str], window: int) -> Iterator[tuple[list[str], list[str], list]]:
        """Windows with their problems and token ids. With batches in flight, the next is tokenised in a thread."""
        remaining = iter(sentences)
        windows = iter(lambda: list(islice(remaining, window)), [])
        if self._in_flight == 1:
            for chunk in windows:
                yield chunk, *self._encoded(chunk)
            return
        with ThreadPoolExecutor(1) as thread:
            for chunk, coming in read_ahead(((chunk, thread.submit(self._encoded, chunk)) for chunk in windows), 1):
                yield chunk, *coming.result()

    def _encoded(self, chunk: list[str]) -> tuple[list[str], list[list[int]]]:
        with self.timeline.host_span("tokenise") if self.timeline else nullcontext():
            return self._tokenizer.problems_and_ids(chunk)

    def _run(self, batches: Iterable[_Batch]) -> Iterator[tuple[_Batch, np.ndarray, np.ndarray]]:
        """Every batch through the engine, in order: with its ids and probabilities, each (masks, 32).

        The one place where work is handed to the device. The arrays are valid until the next batch is asked for.
        """
        busy: deque[Slot] = deque()
        try:
            enqueued = (self._enqueued(batch, busy) for batch in batches)
            for batch, slot in read_ahead(enqueued, self._in_flight - 1):
                if slot is None:
                    yield batch, np.empty((0, self._most), np.int64), np.empty((0, self._most), np.float32)
                else:
                    yield batch, *slot.results()
                    self._idle.append(busy.popleft())
        except TensorRTError:
            self._streams = Streams()  # one that failed is of no use any more
            raise
        finally:
            for slot in busy:  # whoever stops half-way leaves work behind, which still writes
                with suppress(TensorRTError):
                    slot.results()
            self._idle.extend(busy)

    def _enqueued(self, batch: _Batch, busy: deque[Slot]) -> tuple[_Batch, Slot | None]:
        """Give the batch a slot and enqueue it; one without sentences needs none."""
        if not batch.ids:
            return batch, None
        slot = self._idle.pop() if self._idle else Slot(*self._largest, self._tokenizer)
        slot.fill(batch.ids)
        self._streams.enqueue(self._context(batch.bucket), slot, self.timeline)
        busy.append(slot)
        return batch, slot

    def _context(self, bucket: int) -> trt.IExecutionContext:
        """A context for each bucket, made when first needed: switching profiles would forget the shapes."""
        if bucket not in self._contexts:
            self._contexts[bucket] = context_on_profile(self._engine, bucket, self._streams.execution)
        return self._contexts[bucket]
