"""``infer_async``: enqueue an inference and go on; ask for the result when it is needed. Lesson 4 builds it up."""

from __future__ import annotations

import torch

from .backend import trt
from .errors import TensorRTError
from .execution import Tensors, _forget_stream, _own_stream, _prepare, execute, synchronize
from .streams import Event, Stream


class InferenceFuture:
    """A result that may not be there yet, with the method names of ``concurrent.futures.Future``.

    Attributes:
        event: the point in the stream behind the work. ``event.wait(other_stream)`` makes another stream wait for
            it, without the caller.
    """

    def __init__(self, context: trt.IExecutionContext, outputs: dict[str, torch.Tensor], event: Event) -> None:
        self._context = context
        self._outputs = outputs
        self.event = event

    def done(self) -> bool:
        """Whether ``result`` would return, or raise, at once."""
        try:
            return self.event.query()
        except Exception:  # it failed: result() says how
            return True

    def result(self) -> dict[str, torch.Tensor]:
        """Wait for the work, and return its outputs by name. They are complete and stay valid.

        Raises:
            TensorRTError: the work failed while it ran, each time it is asked. The stream is of no use any more.
        """
        try:
            synchronize(self.event)
        except TensorRTError:
            _forget_stream(self._context)
            raise
        return self._outputs


def infer_async(
    context: trt.IExecutionContext,
    inputs: Tensors,
    outputs: dict[str, torch.Tensor] | None = None,
    stream: Stream | None = None,
    *,
    convert: bool = False,
) -> InferenceFuture:
    """As ``infer``, but return once the work is enqueued. Inputs and outputs live until it is done.

    The inputs are read when the work runs: do not overwrite them before ``result()`` has returned. One context
    may be given the next request at once, as long as all of them go to one stream, which runs them in order.
    Requests that are to run at the same time need a context and a stream each.

    Parameters:
        inputs: a tensor for every input, by name.
        outputs: tensors to write into; default: fresh ones.
        stream: the stream to run on; default: one that belongs to the context, the same for all its requests.
        convert: as for ``infer``.

    Raises:
        TensorRTError: what is refused when the work is enqueued. What fails later is raised by ``result()``.
    """
    inputs, outputs = _prepare(context, inputs, outputs, convert)
    stream = stream or _own_stream(context)
    execute(context, stream)
    stream.keep(*inputs.values(), *outputs.values())
    return InferenceFuture(context, outputs, stream.record_event())
