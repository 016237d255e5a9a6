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

import torch

from .errors import TensorRTError, fresh
from .execution import Tensors, execute, prepare, synchronize
from .lanes import device, trt
from .streams import Event, Stream, copy_async, pinned_empty
from .tensors import io_tensors
from .timeline import Timeline

Outputs = dict[str, torch.Tensor]


class Pipeline:
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
        self._lanes = [_Lane(engine, p, depth, timeline, f"context {i}") for i, p in enumerate(profiles)]
        self._next = 0
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
            lane = self._lanes[self._next]
            self._next = (self._next + 1) % len(self._lanes)
            return lane.submit(inputs)

    def map(self, requests: Iterable[Tensors], *, return_exceptions: bool = False) -> Iterator[Outputs | Exception]:
        """The results of all requests, in their order. Requests are taken only as fast as they can be worked on.

        Parameters:
            requests: any iterable. If it raises, the results of what it gave before come first, then its error.
            return_exceptions: yield a request's error in its place; default: raise it.
        """
        futures: deque[PipelineFuture] = deque()
        most = sum(lane.depth for lane in self._lanes)
        broken: list[Exception] = []
        for inputs in _until_it_raises(requests, broken):
            futures.append(self.submit(inputs))
            while len(futures) >= most or (futures and futures[0].done()):
                yield _outcome(futures.popleft(), return_exceptions)
        while futures:
            yield _outcome(futures.popleft(), return_exceptions)
        if broken:
            raise broken[0]

    def close(self) -> None:
        """Take no more requests, and wait for those in flight. Their results can still be asked for."""
        with self._lock:
            self._closed = True
        for lane in self._lanes:
            lane.drain()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _until_it_raises(requests: Iterable[Tensors], broken: list[Exception]) -> Iterator[Tensors]:
    """The requests; what their source raises ends them and is put into ``broken``, to be raised in its turn."""
    try:
        yield from requests
    except Exception as error:
        broken.append(error)


def _outcome(future: PipelineFuture, return_exceptions: bool) -> Outputs | Exception:
    try:
        return future.result()
    except Exception as error:
        if not return_exceptions:
            raise
        return error


class PipelineFuture:
    """The result of one request, with the method names of ``concurrent.futures.Future``."""

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self._inputs: Outputs = {}  # until it is settled: it may have to be enqueued again
        self._outputs: Outputs = {}
        self._event: Event | None = None  # behind its work
        self._error: Exception | None = None
        self._settled = False

    def done(self) -> bool:
        """Whether ``result`` would return, or raise, at once."""
        if not self._settled:
            self._lane.settle_finished()
        return self._settled

    def result(self) -> Outputs:
        """Wait for the request, and return its outputs by name.

        Raises:
            TensorRTError: this request was refused, or failed while it ran. TypeError and others: it is no request.
        """
        if not self._settled:
            self._lane.settle(self)
        if self._error is not None:
            raise fresh(self._error)
        return self._outputs

    def settle(self, error: Exception | None = None) -> None:
        """It is done, or has failed. It keeps what it was asked for and no more; an error without its frames."""
        if error is not None:
            self._error, self._outputs = error.with_traceback(None), {}
            self._error.__context__ = None
        self._inputs, self._event = {}, None
        self._settled = True


class _Lane:
    """One context with its stream, and the requests that are on it, the oldest first."""

    def __init__(self, engine: trt.ICudaEngine, profile: int, depth: int, timeline: Timeline | None, row: str) -> None:
        self.depth = depth
        self._timeline, self._row = timeline, row
        self._context = engine.create_execution_context()
        self._stream = Stream()
        known = io_tensors(engine).items() if device.type == "cuda" else ()
        self._on_device = {name for name, tensor in known if tensor.is_input and tensor.device == "cuda"}
        self._in_flight: deque[PipelineFuture] = deque()
        self._lock = threading.RLock()
        if profile:
            self._context.set_optimization_profile_async(profile, self._stream.handle)
            self._stream.synchronize()

    def submit(self, inputs: Tensors) -> PipelineFuture:
        """Copy the inputs, and enqueue."""
        with self._lock:
            while len(self._in_flight) >= self.depth:
                self._settle_oldest()
            future = PipelineFuture(self)
            try:
                future._inputs = {name: _staged(name, tensor) for name, tensor in inputs.items()}
            except Exception as error:
                future.settle(error)
            else:
                self._enqueue(future)
            if not future._settled:
                self._in_flight.append(future)
            return future

    def _enqueue(self, future: PipelineFuture) -> None:
        """Copy in, execute, copy out; all of it on this lane's stream, and nobody waits."""
        stream = self._stream
        try:
            with _memory_of(stream):
                with self._span("copy in"):
                    inputs = {name: self._to_device(name, tensor) for name, tensor in future._inputs.items()}
                with self._span("execute"):
                    inputs, outputs = prepare(self._context, inputs, None, convert=False)
                    execute(self._context, stream, inputs, outputs)
                with self._span("copy out"):
                    future._outputs = {name: _on_host(tensor, stream) for name, tensor in outputs.items()}
            future._event = stream.record_event()
        except Exception as error:
            future.settle(_told_of_the_profiles(error))

    def _to_device(self, name: str, staged: torch.Tensor) -> torch.Tensor:
        """Where the engine reads it. A shape input stays on the host, and so does a name that will be refused."""
        if name not in self._on_device:
            return staged
        tensor = torch.empty_like(staged, device=device)
        copy_async(tensor, staged, self._stream)
        return tensor

    def settle(self, future: PipelineFuture) -> None:
        """Wait until this request is done, and with it all before it."""
        with self._lock:
            while not future._settled:
                self._settle_oldest()

    def settle_finished(self) -> None:
        """Take note of requests that are done, and wait for none."""
        if not self._lock.acquire(blocking=False):
            return  # another thread is waiting for one of them
        try:
            while self._in_flight and _finished(self._in_flight[0]):
                self._settle_oldest()
        finally:
            self._lock.release()

    def drain(self) -> None:
        """Wait for all requests."""
        with self._lock:
            while self._in_flight:
                self._settle_oldest()

    def _settle_oldest(self) -> None:
        future = self._in_flight[0]
        try:
            if not future._settled:
                synchronize(future._event)
        except TensorRTError as error:
            self._in_flight.popleft()
            future.settle(error)
            self._start_again()
        else:
            self._in_flight.popleft()
            future.settle()

    def _start_again(self) -> None:
        """A failed stream drops what is behind the failure: the innocent are enqueued again, on another stream.

        So it is in the reference lane on the CPU. After an error of CUDA nothing works any more in this process.
        """
        self._stream = Stream()
        for future in self._in_flight:
            self._enqueue(future)

    def _span(self, what: str) -> AbstractContextManager[None]:
        return self._timeline.span(self._stream, self._row, what) if self._timeline else nullcontext()


def _told_of_the_profiles(error: Exception) -> Exception:
    """A shape that only this lane's profile refuses: the caller did not choose the lane."""
    if isinstance(error, TensorRTError) and error.key == "shape_out_of_range":
        return TensorRTError("pipeline_shape_out_of_range", error.log, **error.facts)
    return error


def _finished(future: PipelineFuture) -> bool:
    try:
        return future._settled or future._event.query()
    except Exception:  # the work has failed
        return True


# ---- moving data: on the CPU lane, host and device are the same memory, and there is nothing to move ------------


def _memory_of(stream: Stream) -> AbstractContextManager[None]:
    """Inside, PyTorch takes GPU memory from what belongs to this stream, and puts it back there."""
    return torch.cuda.stream(stream.torch_stream) if device.type == "cuda" else nullcontext()


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
