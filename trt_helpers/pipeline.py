"""``Pipeline``: many requests in flight over several contexts and streams, results in order. Lesson 4 builds it up.

Each context works through its requests on a stream of its own: copy in, execute, copy out. With two contexts, one
computes while the other's data is on its way; with two requests each, a stream that has finished one finds the
next already waiting (double buffering).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle

import torch

from .binding import Tensors, context_on_profile
from .errors import TensorRTError, fresh
from .execution import execute, prepare, synchronize
from .lanes import device, trt
from .look_ahead import read_ahead
from .streams import Event, Stream, copy_async, pinned_empty
from .tensors import io_tensors
from .timeline import Timeline

Outputs = dict[str, torch.Tensor]


class Pipeline(AbstractContextManager):
    """Keeps ``contexts x depth`` requests in flight on one engine.

    Parameters:
        engine: the engine; all contexts share its weights.
        profiles: for each context the optimization profile that it uses; default: one context for each profile of
            the engine. Every profile must accept what you send. TensorRT lets contexts share a profile,
            TensorRT-RTX asks for one each: build the plan with copies, ``build_plan(onnx, [profile] * 2)``.
        depth: requests in flight for each context; 2 is double buffering.
        timeline: gets a span for every copy and execution; default: nothing is measured.

    Inputs are tensors in the computer's memory, copied before ``submit`` returns: they may be changed at once. Results
    are there as well, fresh tensors of their own (pinned, if there is a GPU), which stay valid as long as you hold
    them. Any thread may submit.

    Raises:
        TypeError: it was given an execution context instead of the engine.
    """

    def __init__(
        self,
        engine: trt.ICudaEngine,
        profiles: Sequence[int] | None = None,
        depth: int = 2,
        timeline: Timeline | None = None,
    ) -> None:
        if isinstance(engine, trt.IExecutionContext):
            raise TypeError("Pipeline takes an engine and makes its own contexts, this is a context: context.engine")
        profiles = range(engine.num_optimization_profiles) if profiles is None else profiles
        if not profiles or depth < 1:
            raise ValueError(f"A pipeline needs a context and a depth of at least 1, got {profiles=} and {depth=}.")
        self._tracks = [_Track(engine, p, depth, timeline, f"context {i}") for i, p in enumerate(profiles)]
        self._turns = cycle(self._tracks)
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, inputs: Tensors) -> PipelineFuture:
        """Enqueue a request and return. While as many as fit are in flight, wait for the oldest first.

        It raises nothing about the request: what is refused, now or later, is raised by the future's ``result()``.

        Raises:
            TensorRTError: the pipeline is closed.
        """
        with self._lock:
            if self._closed:
                raise TensorRTError("pipeline_closed")
            return next(self._turns).submit(inputs)

    def map(self, requests: Iterable[Tensors], *, return_exceptions: bool = False) -> Iterator[Outputs | Exception]:
        """The results of all requests, in their order. Requests are taken only as fast as they can be worked on.

        Parameters:
            requests: any iterable. If it raises, the results of what it gave before come first, then its error.
            return_exceptions: yield a request's error in its place; default: raise it.
        """
        futures = (self.submit(inputs) for inputs in requests)
        most = sum(track.depth for track in self._tracks)
        for future in read_ahead(futures, most - 1, PipelineFuture.done):
            try:
                outcome = future.result()
            except Exception as error:
                if not return_exceptions:
                    raise
                outcome = error
            yield outcome

    def close(self) -> None:
        """Take no more requests, and wait for those in flight. Their results can still be asked for."""
        with self._lock:
            self._closed = True
        for track in self._tracks:
            track.drain()

    def __exit__(self, *_: object) -> None:
        self.close()


class PipelineFuture:
    """The result of one request, with the method names of ``concurrent.futures.Future``."""

    def __init__(self, track: _Track, request: _Request) -> None:
        self._track, self._request = track, request

    def done(self) -> bool:
        """Whether ``result`` would return, or raise, at once."""
        if not self._request.settled:
            self._track.settle_finished()
        return self._request.settled

    def result(self) -> Outputs:
        """Wait for the request, and return its outputs by name.

        Raises:
            TensorRTError: this request was refused, or failed while it ran. TypeError and others: it is no request.
        """
        if not self._request.settled:
            self._track.settle(self._request)
        if self._request.error is not None:
            raise fresh(self._request.error)
        return self._request.outputs


@dataclass
class _Request:
    """How far one request is. Its inputs are kept until it is settled: it may have to be enqueued again."""

    inputs: Outputs = field(default_factory=dict)
    outputs: Outputs = field(default_factory=dict)
    event: Event | None = None  # behind its work
    error: Exception | None = None
    settled: bool = False

    def finished(self) -> bool:
        """Whether its work is over."""
        try:
            return self.settled or self.event.query()
        except Exception:  # it has failed
            return True

    def settle(self, error: Exception | None = None) -> None:
        """It is done, or has failed. It keeps what it was asked for and no more; an error without its frames."""
        if error is not None:
            self.error, self.outputs = error.with_traceback(None), {}
            self.error.__context__ = None
        self.inputs, self.event, self.settled = {}, None, True


class _Track:
    """One context with its stream, and the requests that are on it, the oldest first."""

    def __init__(self, engine: trt.ICudaEngine, profile: int, depth: int, timeline: Timeline | None, row: str) -> None:
        self.depth = depth
        self._timeline, self._row = timeline, row
        self._stream = Stream()
        self._context = context_on_profile(engine, profile, self._stream)
        known = io_tensors(engine).items() if device.type == "cuda" else ()
        self._on_device = {name for name, tensor in known if tensor.is_input and tensor.device == "cuda"}
        self._in_flight: deque[_Request] = deque()
        self._lock = threading.RLock()

    def submit(self, inputs: Tensors) -> PipelineFuture:
        """Copy the inputs, and enqueue."""
        with self._lock:
            while len(self._in_flight) >= self.depth:
                self._settle_oldest()
            request = _Request()
            try:
                request.inputs = {name: _staged(name, tensor) for name, tensor in inputs.items()}
            except Exception as error:
                request.settle(error)
            else:
                self._enqueue(request)
            if not request.settled:
                self._in_flight.append(request)
            return PipelineFuture(self, request)

    def _enqueue(self, request: _Request) -> None:
        """Copy in, execute, copy out; all of it on this track's stream, and nobody waits."""
        stream = self._stream
        try:
            with stream.as_current():  # GPU memory is taken from what belongs to this stream, and goes back there
                with self._span("copy in"):
                    inputs = {name: self._to_device(name, tensor) for name, tensor in request.inputs.items()}
                with self._span("execute"):
                    inputs, outputs = prepare(self._context, inputs, None, convert=False)
                    execute(self._context, stream, inputs, outputs)
                with self._span("copy out"):
                    request.outputs = {name: _on_host(tensor, stream) for name, tensor in outputs.items()}
            request.event = stream.record_event()
        except Exception as error:
            request.settle(_told_of_the_profiles(error))

    def _to_device(self, name: str, staged: torch.Tensor) -> torch.Tensor:
        """Where the engine reads it. A shape input stays on the host, and so does a name that will be refused."""
        if name not in self._on_device:
            return staged
        tensor = torch.empty_like(staged, device=device)
        copy_async(tensor, staged, self._stream)
        return tensor

    def settle(self, request: _Request) -> None:
        """Wait until this request is done, and with it all before it."""
        with self._lock:
            while not request.settled:
                self._settle_oldest()

    def settle_finished(self) -> None:
        """Take note of requests that are done, and wait for none."""
        if not self._lock.acquire(blocking=False):
            return  # another thread is waiting for one of them
        try:
            while self._in_flight and self._in_flight[0].finished():
                self._settle_oldest()
        finally:
            self._lock.release()

    def drain(self) -> None:
        """Wait for all requests."""
        with self._lock:
            while self._in_flight:
                self._settle_oldest()

    def _settle_oldest(self) -> None:
        request = self._in_flight[0]
        try:
            if not request.settled:
                synchronize(request.event)
        except TensorRTError as error:
            self._in_flight.popleft()
            request.settle(error)
            self._start_again()
        else:
            self._in_flight.popleft()
            request.settle()

    def _start_again(self) -> None:
        """A failed stream drops what is behind the failure: the innocent are enqueued again, on another stream.

        So it is in the reference lane on the CPU. After an error of CUDA nothing works any more in this process.
        """
        self._stream = Stream()
        for request in self._in_flight:
            self._enqueue(request)

    def _span(self, what: str) -> AbstractContextManager[None]:
        return self._timeline.span(self._stream, self._row, what) if self._timeline else nullcontext()


def _told_of_the_profiles(error: Exception) -> Exception:
    """A shape that only this track's profile refuses: the caller did not choose the track."""
    if isinstance(error, TensorRTError) and error.key == "shape_out_of_range":
        return TensorRTError("pipeline_shape_out_of_range", error.log, **error.facts)
    return error


# ---- moving data: without a GPU host and device are the same memory, and there is nothing to move ---------------


def _staged(name: str, tensor: object) -> torch.Tensor:
    """A copy of an input in pinned memory: the caller may change the input at once."""
    if not isinstance(tensor, torch.Tensor):
        raise TensorRTError("not_a_tensor", tensor=name, asked=type(tensor).__name__)
    return pinned_empty(tensor.shape, tensor.dtype).copy_(tensor)


def _on_host(output: torch.Tensor, stream: Stream) -> torch.Tensor:
    if output.device.type == "cpu":
        return output
    result = pinned_empty(output.shape, output.dtype)
    copy_async(result, output, stream)
    return result
