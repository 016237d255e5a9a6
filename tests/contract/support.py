"""What the contract tests share: tiny models, engines, buffers, and the lines that TensorRT logs.

Everything here uses ``trt`` of the lane, so that the same tests run on a GPU.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from functools import cache

import onnx.parser
import torch

from trt_helpers import Gate, Stream, default_stream, device, infer, lane, logger, trt
from trt_helpers.tensors import input_names

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'

RELU = "relu (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"
FIXED = "fixed (float[2,4] x) => (float[2,4] y) { y = Relu(x) }"
MIXED = """mixed (float[N,4] x, float[2,4] w) => (float[N,2] y, float[2,4] z) {
    t = Transpose(w)
    y = MatMul(x, t)
    z = Relu(w) }"""
SHARED = "shared (float[N,4] a, float[N,4] b) => (float[N,4] c) { c = Add(a, b) }"
JOINED = "joined (float[N,4] a, float[M,4] b) => (float[N,8] c) { c = Concat <axis = 1> (a, b) }"
STACKED = "stacked (float[N,4] a, float[M,4] b) => (float[K,4] c) { c = Concat <axis = 0> (a, b) }"
RESHAPE = "reshape (float[N,4] x, int64[2] s) => (float[P,Q] y) { y = Reshape(x, s) }"
LOOKUP = "lookup (int64[N] i) => (float[N] y) <float[4] table = {10, 11, 12, 13}> { y = Gather(table, i) }"
TOTAL = """total (float[N,4] x) => (float[4] y) {
    axes = Constant <value = int64[1] {0}> ()
    y = ReduceSum <keepdims = 0> (x, axes) }"""
NONZERO = "nonzero (float[N,4] x) => (int64[2,M] y) { y = NonZero(x) }"


def profile(**shapes) -> dict:
    """``profile(x=((1, 4), (2, 4), (8, 4)))``: min, opt, max."""
    return shapes


SMALL = profile(x=((1, 4), (2, 4), (8, 4)))
LARGE = profile(x=((8, 4), (16, 4), (32, 4)))


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(HEAD + text)


def parse(text: str) -> tuple:
    """The builder, the network and the parser after ``parse``; the parser must live as long as the network."""
    builder = trt.Builder(logger)
    network = builder.create_network()
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(model(text).SerializeToString()), parser.get_error(0).desc()
    return builder, network, parser


def build(text: str, *profiles: dict, values: dict | None = None) -> object:
    """A plan, with the standard API and no help."""
    builder, network, _parser = parse(text)
    config = builder.create_builder_config()
    for shapes in profiles:
        made = builder.create_optimization_profile()
        for name, three in shapes.items():
            made.set_shape(name, *three)
        for name, three in (values or {}).items():
            made.set_shape_input(name, *three)
        assert config.add_optimization_profile(made) >= 0
    plan = builder.build_serialized_network(network, config)
    assert plan is not None
    return plan


@cache
def _plan(text: str, profiles: str, values: str) -> object:
    before = tuple(logger.messages)
    with logger.quietly():
        made = build(text, *eval(profiles), values=eval(values))
    logger.clear()  # the parser's and builder's own warnings are not what a test is about
    logger.messages.extend(before)
    return made


def plan(text: str, *profiles: dict, values: dict | None = None) -> object:
    """As ``build``; each plan is built once for all tests."""
    return _plan(text, repr(profiles), repr(values))


def engine(text: str, *profiles: dict, values: dict | None = None):
    made = trt.Runtime(logger).deserialize_cuda_engine(plan(text, *profiles, values=values))
    assert made is not None
    return made


def context(text: str, *profiles: dict, values: dict | None = None):
    return engine(text, *profiles, values=values).create_execution_context()


RESHAPE_PROFILE = profile(x=((1, 4), (2, 4), (8, 4)))
RESHAPE_VALUES = {"s": ((1, 1), (2, 4), (32, 32))}


def reshape_context():
    return context(RESHAPE, RESHAPE_PROFILE, values=RESHAPE_VALUES)


def tensor(*shape: int, fill: float | None = None, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """A tensor where the engine reads it: counting from -3, or filled."""
    if fill is not None:
        made = torch.full(shape, fill, dtype=dtype, device=device)
    else:
        made = (torch.arange(torch.Size(shape).numel(), device=device) - 3).to(dtype).reshape(shape)
    settle()
    return made


def settle() -> None:
    """Whatever the tests did on PyTorch's own stream is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def address(given: torch.Tensor) -> int:
    """Never 0: an empty tensor has no address, and any other does."""
    return given.data_ptr() or _spare().data_ptr()


@cache
def _spare() -> torch.Tensor:
    return torch.empty(512, dtype=torch.uint8, device=device)


# TensorRT keeps addresses only. What a test has bound lives until its end.
KEPT: list[torch.Tensor] = []


def bind(ctx, **tensors: torch.Tensor) -> None:
    KEPT.extend(tensors.values())
    for name, given in tensors.items():
        assert ctx.set_tensor_address(name, address(given))


def ready_relu(rows: int = 2):
    """A context of RELU that may run, its input and its output."""
    ctx, x, y = context(RELU, SMALL), tensor(rows, 4), tensor(rows, 4, fill=-999)
    assert ctx.set_input_shape("x", (rows, 4))
    bind(ctx, x=x, y=y)
    return ctx, x, y


def execute(ctx) -> None:
    """Enqueue on a stream of its own and wait."""
    stream = Stream()
    assert ctx.execute_async_v3(stream.handle)
    stream.synchronize()


def is_invalid(dims) -> bool:
    """Whether this is TensorRT's ``Dims`` with -1 dimensions."""
    try:
        len(dims)
    except ValueError:
        return True
    return False


def warm(ctx, *streams) -> None:
    """Run once on each stream: what a GPU does for the first time may wait for all streams, held ones too."""
    if device.type == "cpu":
        return
    inputs = {name: tensor(*ctx.get_tensor_shape(name), fill=1) for name in input_names(ctx.engine)}
    for stream in streams:
        infer(ctx.engine.create_execution_context(), inputs, stream=stream)


@contextmanager
def held(stream):
    """Work enqueued on the stream in this block does not start before its end. ``warm`` it first."""
    with Gate() as gate:
        gate.hold(stream)
        yield


def default_stream_held():
    """``held`` for stream 0."""
    return held(default_stream())


class Allocator(trt.IOutputAllocator):
    """An output allocator that remembers what it was asked and told."""

    def __init__(self, gives: object = "memory") -> None:
        trt.IOutputAllocator.__init__(self)
        self.gives, self.asked, self.told = gives, [], []

    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        self.asked.append((tensor_name, memory, size, alignment, stream))
        if self.gives == "error":
            raise RuntimeError("no memory today")
        if self.gives == "memory":
            self.buffer = torch.zeros(size, dtype=torch.uint8, device=device)
            return self.buffer.data_ptr()
        return self.gives

    def notify_shape(self, tensor_name, shape):
        self.told.append((tensor_name, tuple(shape)))

    def result(self, dtype: torch.dtype) -> torch.Tensor:
        shape = self.told[-1][1]
        count = torch.Size(shape).numel()
        return self.buffer.view(dtype)[:count].reshape(shape).cpu()


def nonzero_engine():
    """An engine whose output size depends on the data, or None where TensorRT-RTX has no such thing."""
    if lane.name == "tensorrt_rtx":
        return None
    if lane.name == "tensorrt":
        return engine(NONZERO, SMALL)
    return trt.Runtime(logger).deserialize_cuda_engine(trt.plan_from_onnx_alone(model(NONZERO), [SMALL], logger))


class ErrorRecorder(trt.IErrorRecorder):
    """Keeps what it gets."""

    def __init__(self) -> None:
        trt.IErrorRecorder.__init__(self)
        self.errors = []

    def report_error(self, code, desc):
        self.errors.append((code, desc))
        return False

    def get_num_errors(self):
        return len(self.errors)

    def get_error_code(self, index):
        return self.errors[index][0]

    def get_error_desc(self, index):
        return self.errors[index][1]

    def has_overflowed(self):
        return False

    def clear(self):
        self.errors.clear()


def collect() -> None:
    """Objects that nobody refers to are gone now."""
    gc.collect()
