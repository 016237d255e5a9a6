"""``infer_async``: enqueue an inference and go on; ask for the result when it is needed. Lesson 4 builds it up."""

from __future__ import annotations

import torch

from .binding import Tensors
from .execution import alone, check_stream, execute, own_stream, prepare, synchronize
from .lanes import trt
from .streams import Event, Stream


class InferenceFuture:
    """A result that may not be there yet, with the method names of ``concurrent.futures.Future``.

    Attributes:
        outputs: the tensors that are written, by name. Only behind ``event`` do they hold the result.
        event: the point in the stream behind the work. ``event.wait(other_stream)`` makes another stream wait for
            it, without the caller.
    """

    def __init__(self, outputs: dict[str, torch.Tensor], event: Event) -> None:
        self.outputs = outputs
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
            TensorRTError: this work failed while it ran, or work before it on the same stream: then it was dropped.
        """
        synchronize(self.event)
        return self.outputs


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
        TypeError: the context or the stream is something else, an engine or a handle, say.
    """
    check_stream(stream)
    with alone(context):
        inputs, outputs = prepare(context, inputs, outputs, convert)
        stream = own_stream(context) if stream is None else stream
        execute(context, stream, inputs, outputs)
    return InferenceFuture(outputs, stream.record_event())
