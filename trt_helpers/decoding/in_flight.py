"""Batches that are in flight: what each needs of memory, and the streams that they share. For ``MaskedWordDecoder``.

On a GPU the inputs of one batch are copied while another is executed and the results of a third come back: a stream
for each of the three, events between them. Without a GPU there is nothing to copy, and one stream.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

import numpy as np
import torch

from ..binding import Tensors
from ..execution import alone, execute, prepare, synchronize
from ..lanes import device, trt
from ..streams import Event, Stream, copy_async, pinned_empty
from ..timeline import Timeline
from .graph import OUTPUTS, POSITIONS
from .model import INPUTS
from .tokenizer import BulkTokenizer

ON_GPU = device.type == "cuda"
TYPES = dict(zip(OUTPUTS, (torch.int64, torch.float32), strict=True))


class Streams:
    """One for each kind of work, and the way of a batch through them."""

    def __init__(self) -> None:
        self.execution = Stream()
        self._copying = (Stream(), Stream()) if ON_GPU else ()

    def enqueue(self, context: trt.IExecutionContext, slot: Slot, timeline: Timeline | None = None) -> None:
        """Copy in, execute, copy out, and wait for nothing; ``slot.results()`` waits.

        All executions go to one stream, so a context may get its next batch at once.

        Parameters:
            timeline: gets a span for each of the three.
        """
        if ON_GPU:
            copying_in, copying_out = self._copying
            _copy(copying_in, slot.inputs, slot.host_inputs, timeline, "copy in")
            self.execution.wait_event(copying_in.record_event())
        with alone(context), _span(timeline, self.execution, "execute"):
            execute(context, self.execution, *prepare(context, slot.inputs, slot.outputs, convert=False))
        slot.done = self.execution.record_event()
        if ON_GPU:
            copying_out.wait_event(slot.done)
            _copy(copying_out, slot.host_outputs, slot.outputs, timeline, "copy out")
            slot.done = copying_out.record_event()


def _copy(stream: Stream, targets: Tensors, sources: Tensors, timeline: Timeline | None, what: str) -> None:
    with _span(timeline, stream, what):
        for name, target in targets.items():
            copy_async(target, sources[name], stream)


def _span(timeline: Timeline | None, stream: Stream, what: str) -> AbstractContextManager[None]:
    return timeline.span(stream, what, what) if timeline else nullcontext()


class Slot:
    """Memory for the largest batch, used by one after the other: addresses stay the same, nothing is allocated again.

    On a GPU everything is there twice: pinned memory of the computer is what is filled and what is read.

    Attributes:
        inputs, outputs: views of just the size of the present batch, where the engine reads and writes.
        host_inputs, host_outputs: the same where we do; without a GPU the engine, too.
        done: behind the batch's work. Until then nobody else may fill the slot.
    """

    def __init__(self, tokens: int, masks: int, top_k: int, tokenizer: BulkTokenizer) -> None:
        sizes = dict.fromkeys(INPUTS, tokens) | {POSITIONS: 2 * masks}
        self._host = {name: pinned_empty((size,), torch.int64).zero_() for name, size in sizes.items()}
        self._host |= {name: pinned_empty((masks * top_k,), dtype) for name, dtype in TYPES.items()}
        self._device = {name: host.to(device) for name, host in self._host.items()}  # without a GPU the same tensors
        self._top_k, self._mask_id, self._pad_id = top_k, tokenizer.mask_id, tokenizer.pad_id
        self.done: Event | None = None

    def fill(self, ids: Sequence[Sequence[int]]) -> None:
        """Pad the sentences to the longest, and make views of that size."""
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        used = np.arange(lengths.max()) < lengths[:, None]
        padded = np.full(used.shape, self._pad_id)
        padded[used] = np.fromiter(chain.from_iterable(ids), np.int64, lengths.sum())
        places = np.argwhere(padded == self._mask_id)
        types = np.zeros(used.shape, np.int64)
        values = dict(zip((*INPUTS, POSITIONS), (padded, types, used, places), strict=True))
        shapes = {name: value.shape for name, value in values.items()}
        answers = dict.fromkeys(OUTPUTS, (len(places), self._top_k))
        self.host_inputs, self.host_outputs = _views(self._host, shapes), _views(self._host, answers)
        for name, value in values.items():
            self.host_inputs[name].copy_(torch.from_numpy(value))
        self.inputs, self.outputs = self.host_inputs, self.host_outputs
        if ON_GPU:
            self.inputs, self.outputs = _views(self._device, shapes), _views(self._device, answers)

    def results(self) -> tuple[np.ndarray, np.ndarray]:
        """Wait for the batch. Its ids and probabilities, each (masks, top_k), valid until the next ``fill``.

        Raises:
            TensorRTError: the work failed.
        """
        synchronize(self.done)
        return tuple(self.host_outputs[name].numpy() for name in OUTPUTS)


def _views(memory: dict[str, torch.Tensor], shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    return {name: memory[name][: math.prod(shape)].view(shape) for name, shape in shapes.items()}
