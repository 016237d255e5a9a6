"""``MaskedWordDecoder``: many sentences in, the missing words out, as fast as the engine goes.

    decoder = MaskedWordDecoder.from_pretrained()
    decoder(["Paris is the [MASK] of France.", "She opened the [MASK] and went [MASK]."], top_k=5)

``fill_in`` (lesson 5) is the short way. This one is for many sentences: it tokenises lists at once, sorts them by
length so that little padding is computed, and asks an engine that decodes inside (``decoding_graph.py``).
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from .backend import device, lane, trt
from .buckets import Bucket, make_buckets, sorted_batches
from .bulk_tokenizer import BulkTokenizer
from .decoding_graph import OUTPUTS, POSITIONS, export_decoder
from .engine import build_plan, load_engine, save_plan
from .errors import TensorRTError
from .execution import infer
from .masked_lm import INPUTS, Candidate, load_masked_lm, load_tokenizer, longest_sequence
from .progress import is_wanted
from .sentences import Filled
from .streams import Stream
from .tensors import tensor_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a batch may have in tokens, padding included. On two CPU cores 1024 to 4096 were equally fast, smaller and
# larger ones slower, and 1024 took the least memory; for a GPU it has not been measured.
TOKENS = {"cpu": 1024, "cuda": 16384}
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

    Attributes:
        plan: the file that the engine came from; ``MaskedWordDecoder.from_plan(decoder.plan)`` makes another decoder
            in a worker process, without PyTorch's weights and without a build. None if it came from no file.

    Raises:
        ValueError: the engine was built from something else, or the tokenizer is not a fast one.
    """

    def __init__(
        self, engine: trt.ICudaEngine, tokenizer: PreTrainedTokenizerBase, *, tokens: int | None = None
    ) -> None:
        self.plan: Path | None = None
        self._buckets = _buckets_of(engine)
        self._tokens = TOKENS[device.type] if tokens is None else tokens
        longest = self._buckets[-1].longest
        self._tokenizer = BulkTokenizer(tokenizer, longest)
        self._most = engine.get_tensor_shape(OUTPUTS[0])[1]
        self._engine = engine
        self._contexts: dict[int, trt.IExecutionContext] = {}
        masks = max(bucket.masks for bucket in self._buckets)
        self._buffers = _Buffers(max(self._tokens, longest), masks, self._most, self._tokenizer)

    @classmethod
    def from_pretrained(cls, source: str | Path | None = None, *, tokens: int | None = None) -> MaskedWordDecoder:
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
        plan, engine = _built(export_decoder(lm), make_buckets(longest_sequence(lm), 2 * tokens))
        decoder = cls(engine, lm.tokenizer, tokens=tokens)
        decoder.plan = plan
        return decoder

    @classmethod
    def from_plan(
        cls, plan: str | Path, source: str | Path | None = None, *, tokens: int | None = None
    ) -> MaskedWordDecoder:
        """Load a plan that is already built: no weights of PyTorch, no export, no build.

        Parameters:
            plan: a file, such as ``decoder.plan`` of another process on the same machine.
            source: where the tokenizer is, as for ``load_masked_lm``.

        Raises:
            TensorRTError: there is no such plan, or it does not fit this machine.
            ValueError: it is a plan of something else.
        """
        decoder = cls(load_engine(plan), load_tokenizer(source), tokens=tokens)
        decoder.plan = Path(plan)
        return decoder

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
        """Read a window, sort it into batches. Nothing is read before it is needed."""
        remaining = iter(sentences)
        while chunk := list(islice(remaining, window)):
            problems, ids = self._tokenizer.problems_and_ids(chunk)
            current = _Window(chunk, problems)
            good = np.array([i for i, problem in enumerate(problems) if not problem], dtype=np.int64)
            lengths, masks = [len(ids[i]) for i in good], [ids[i].count(self._tokenizer.mask_id) for i in good]
            if not len(good):
                yield _Batch(current, good, [], bucket=0)  # nothing to run, and still its turn to be answered
            for bucket, chosen in sorted_batches(lengths, masks, self._buckets, self._tokens):
                rows = good[chosen]
                yield _Batch(current, rows, [ids[i] for i in rows], bucket)

    def _run(self, batches: Iterable[_Batch]) -> Iterator[tuple[_Batch, np.ndarray, np.ndarray]]:
        """Every batch through the engine, in order: with its ids and probabilities, each (masks, 32).

        The one place where work is handed to the device: who overlaps batches does it here. The arrays are valid
        until the next batch is asked for.
        """
        for batch in batches:
            if not batch.ids:
                yield batch, np.empty((0, self._most), np.int64), np.empty((0, self._most), np.float32)
                continue
            inputs, outputs = self._buffers.fill(batch.ids)
            infer(self._context(batch.bucket), inputs, outputs)
            yield batch, outputs[OUTPUTS[0]].cpu().numpy(), outputs[OUTPUTS[1]].cpu().numpy()

    def _context(self, bucket: int) -> trt.IExecutionContext:
        """A context for each bucket, made when first needed: switching profiles would forget the shapes."""
        if bucket not in self._contexts:
            context, stream = self._engine.create_execution_context(), Stream()
            context.set_optimization_profile_async(bucket, stream.handle)  # raises where others return False
            stream.synchronize()
            self._contexts[bucket] = context
        return self._contexts[bucket]


class _Buffers:
    """Memory for the largest batch, used by every batch: addresses stay the same, and nothing is allocated again.

    On a GPU each input has pinned memory on the host too, where it is filled before it is copied.
    """

    def __init__(self, tokens: int, masks: int, top_k: int, tokenizer: BulkTokenizer) -> None:
        sizes = dict.fromkeys(INPUTS, tokens) | {POSITIONS: 2 * masks}
        on_gpu = device.type == "cuda"
        self._host = {name: torch.zeros(size, dtype=torch.int64, pin_memory=on_gpu) for name, size in sizes.items()}
        self._inputs = {name: host.to(device) for name, host in self._host.items()}
        dtypes = zip(OUTPUTS, (torch.int64, torch.float32), strict=True)
        self._outputs = {name: torch.empty(masks * top_k, dtype=dtype, device=device) for name, dtype in dtypes}
        self._top_k, self._mask_id, self._pad_id = top_k, tokenizer.mask_id, tokenizer.pad_id

    def fill(self, ids: list[list[int]]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Pad the sentences to the longest. Returns inputs and outputs of just that size, valid until the next call."""
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        used = np.arange(lengths.max()) < lengths[:, None]
        padded = np.full(used.shape, self._pad_id)
        padded[used] = np.fromiter(chain.from_iterable(ids), np.int64, lengths.sum())
        places = np.argwhere(padded == self._mask_id)
        types = np.zeros(used.shape, np.int64)
        values = dict(zip((*INPUTS, POSITIONS), (padded, types, used, places), strict=True))
        inputs = {name: self._copied(name, value) for name, value in values.items()}
        shape = (len(places), self._top_k)
        return inputs, {name: flat[: math.prod(shape)].view(shape) for name, flat in self._outputs.items()}

    def _copied(self, name: str, value: np.ndarray) -> torch.Tensor:
        host = self._host[name][: value.size].view(value.shape)
        host.copy_(torch.from_numpy(value))
        if device.type == "cpu":
            return host
        return self._inputs[name][: value.size].view(value.shape).copy_(host, non_blocking=True)


# ---- plans ------------------------------------------------------------------------------------------------


def _built(onnx_file: Path, buckets: Sequence[Bucket]) -> tuple[Path, trt.ICudaEngine]:
    """The plan beside the ONNX file, built if there is none for these buckets, this TensorRT and this GPU."""
    gpu = torch.cuda.get_device_name() if device.type == "cuda" else ""
    what = repr((lane.name, trt.__version__, gpu, [tuple(bucket) for bucket in buckets]))
    path = onnx_file.with_name(f"{onnx_file.stem}-{hashlib.sha256(what.encode()).hexdigest()[:12]}.plan")
    if path.exists():
        with suppress(TensorRTError):  # damaged, or of an older trt_helpers: build it again
            return path, load_engine(path)
    plan = build_plan(onnx_file, [bucket.profile() for bucket in buckets])
    return save_plan(plan, path), load_engine(plan)


def _buckets_of(engine: trt.ICudaEngine) -> list[Bucket]:
    """The length buckets that an engine was built with."""
    names = {*INPUTS, POSITIONS, *OUTPUTS}
    if set(tensor_names(engine)) != names:
        found = ", ".join(tensor_names(engine))
        raise ValueError(f"a decoder needs an engine made from export_decoder's ONNX file; this one has {found}")
    buckets = []
    for k in range(engine.num_optimization_profiles):
        low, _, high = engine.get_tensor_profile_shape(INPUTS[0], k)
        masks = engine.get_tensor_profile_shape(POSITIONS, k)[2][0]
        buckets.append(Bucket(shortest=low[1], longest=high[1], rows=high[0], masks=masks))
    return buckets
