"""What only the reference lane has: strict mode, plans that can be taken apart, plans from ONNX alone."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap

import onnx.parser
import pytest
import torch

import trt_helpers as th
from tests.contract.support import (
    NONZERO,
    RELU,
    SMALL,
    bind,
    context,
    engine,
    execute,
    held,
    model,
    nonzero_engine,
    plan,
    ready_relu,
    tensor,
    warm,
)
from trt_helpers import Stream, device, lane, logger, trt

if lane.name != "reference":
    pytest.skip("the reference lane only", allow_module_level=True)

from trt_helpers.reference import header, plan_from_onnx_alone, tensorrt_rtx_part  # noqa: E402
from trt_helpers.reference import plan as plans  # noqa: E402


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setenv("TRT_HELPERS_STRICT", "1")


def aligned(*shape: int) -> torch.Tensor:
    """A tensor whose address is a multiple of 256."""
    count = torch.Size(shape).numel()
    memory = torch.zeros(count + 64, dtype=torch.float32, device=device)
    start = -memory.data_ptr() // 4 % 64
    return memory[start : start + count].reshape(shape)


def test_strict_mode_refuses_misaligned_addresses(strict, log):
    ctx = context(RELU, SMALL)
    assert ctx.set_tensor_address("x", 4096 + 64) is False
    log.refused("setTensorAddress", "not a multiple of 256")
    assert ctx.get_tensor_address("x") == 0
    assert ctx.set_tensor_address("x", 4096) is True and ctx.set_tensor_address("x", 0) is True


def test_without_strict_mode_any_address_will_do():
    assert context(RELU, SMALL).set_tensor_address("x", 4096 + 64) is True


def strictly_ready():
    ctx, x, y = context(RELU, SMALL, SMALL), aligned(2, 4), aligned(2, 4)
    assert ctx.set_input_shape("x", (2, 4))
    bind(ctx, x=x, y=y)
    return ctx


def test_strict_mode_refuses_a_second_stream_while_the_first_is_busy(strict, log):
    ctx, one, two = strictly_ready(), Stream(), Stream()
    warm(ctx, one, two)
    with held(one):
        assert ctx.execute_async_v3(one.handle) is True
        assert ctx.execute_async_v3(two.handle) is False
        log.refused("enqueueV3: Error Code 9", "on stream")
        with pytest.raises(RuntimeError):
            ctx.set_optimization_profile_async(1, two.handle)
        log.forget()
        assert ctx.execute_async_v3(one.handle) is True  # the same stream keeps them in order
    one.synchronize()
    assert ctx.execute_async_v3(two.handle) is True
    two.synchronize()


def test_without_strict_mode_a_second_stream_is_not_noticed():
    ctx, one, two = ready_relu()[0], Stream(), Stream()
    warm(ctx, one, two)
    with held(one):
        assert ctx.execute_async_v3(one.handle) and ctx.execute_async_v3(two.handle)
    one.synchronize()
    two.synchronize()


@pytest.mark.skipif(device.type == "cuda", reason="CUDA's handles are not ours to check")
def test_handles_that_nobody_has_are_refused(log):
    ctx = ready_relu()[0]
    assert ctx.execute_async_v3(1234) is False
    log.refused("invalid resource handle: 1234 is not a live stream")
    assert ctx.set_input_consumed_event(4321) is True
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("invalid resource handle: 4321 is not a live event")


def test_two_contexts_on_two_streams_overlap():
    made, streams = engine(RELU, SMALL), (Stream(), Stream())
    contexts = [made.create_execution_context() for _ in streams]
    for ctx in contexts:
        assert ctx.set_input_shape("x", (2, 4))
        bind(ctx, x=tensor(2, 4), y=tensor(2, 4))
        warm(ctx, *streams)
    with held(streams[0]):
        for ctx, stream in zip(contexts, streams, strict=True):
            assert ctx.execute_async_v3(stream.handle)
        streams[1].synchronize()  # ends although the first stream has not started
        assert not streams[0].query()
    streams[0].synchronize()


def test_decisions_about_a_profile_switch():
    """TensorRT does not say what happens to addresses, nor what switching to the profile in use does."""
    ctx, stream = context(RELU, SMALL, SMALL), Stream()
    assert ctx.set_input_shape("x", (2, 4)) and ctx.set_tensor_address("x", 4096)
    assert ctx.set_optimization_profile_async(0, stream.handle) and ctx.get_tensor_shape("x") == (2, 4)
    assert ctx.set_optimization_profile_async(1, stream.handle) and ctx.get_tensor_shape("x") == (-1, 4)
    assert ctx.get_tensor_address("x") == 4096


# ---- plans -------------------------------------------------------------------------------------------------


def test_the_tensorrt_rtx_part_can_be_cut_out():
    whole = plan(RELU, SMALL)
    part = tensorrt_rtx_part(whole)
    assert whole.startswith(part) and 0 < len(part) < whole.nbytes
    assert int.from_bytes(part[:4], "little") == plans.TENSORRT_RTX_MAGIC
    for wrong in (b"", b"x" * 500, part):
        with pytest.raises(ValueError, match="not a sound plan of the reference lane"):
            tensorrt_rtx_part(wrong)


def test_a_bare_tensorrt_rtx_plan_is_named(log):
    assert trt.Runtime(logger).deserialize_cuda_engine(tensorrt_rtx_part(plan(RELU, SMALL))) is None
    log.refused("Error Code 10", "It can be run by TensorRT-RTX on an RTX GPU")


def test_a_plan_of_tensorrt_is_named(log):
    foreign = plans.TENSORRT_MAGIC.to_bytes(4, "little") + bytes(500)
    assert trt.Runtime(logger).deserialize_cuda_engine(foreign) is None
    log.refused(f"({plans.TENSORRT_MAGIC} != {plans.TENSORRT_RTX_MAGIC})", "This is a plan of TensorRT.")


def forged(head: bytes = b"{}", onnx: bytes = b"", shapes: bytes = b"") -> bytes:
    """A plan with a right checksum and this inside."""

    class Header:
        @staticmethod
        def to_json() -> bytes:
            return head

    return plans.join(b"", onnx, shapes, Header())


def good_parts():
    return plans.split(memoryview(plan(RELU, SMALL)))


def damaged_headers() -> dict[str, object]:
    good = json.loads(good_parts().header.to_json())

    def with_(**changes):
        return json.dumps({**good, **changes}).encode()

    x = good["inputs"][0]
    return {
        "empty": b"",
        "no JSON": b"\xff\xfe",
        "a list": b"[]",
        "nested": b"[" * 100_000,
        "nothing": b"{}",
        "extra": with_(extra=1),
        "huge number": with_(num_layers=10**30),
        "a name that is none": with_(name=7),
        "no profiles": with_(profiles=[]),
        "profile of another rank": with_(profiles=[{"x": [[1], [1], [1]]}]),
        "profile of another kind": with_(profiles=[{"x": "abc"}]),
        "two shapes": with_(profiles=[{"x": [[1, 4], [1, 4]]}]),
        "unknown type": with_(inputs=[{**x, "dtype": "STRING"}]),
        "nine dimensions": with_(inputs=[{**x, "shape": [1] * 9}]),
        "a size of text": with_(inputs=[{**x, "shape": ["a", 4]}]),
        "negative": with_(inputs=[{**x, "shape": [-2, 4]}]),
        "long formula": with_(outputs=[{**good["outputs"][0], "formulas": ["1+" * 9000 + "1", 4]}]),
        "other inputs": with_(inputs=[{**x, "name": "z"}]),
        "no inputs": with_(inputs=[]),
    }


@pytest.mark.parametrize("case", list(damaged_headers()))
def test_a_header_that_makes_no_sense_is_refused(case, log):
    parts = good_parts()
    bad = forged(damaged_headers()[case], bytes(parts.onnx), bytes(parts.shapes))
    assert trt.Runtime(logger).deserialize_cuda_engine(bad) is None
    log.refused("IRuntime::deserializeCudaEngine: Error Code 1: Serialization")


def lying_headers() -> dict[str, bytes]:
    """Each by itself is a header as it may be; none is that of this graph. Believed, they make buffers too small."""
    from trt_helpers.reference.graph import DTYPES

    good = json.loads(good_parts().header.to_json())
    lies = {}
    for what in ("inputs", "outputs"):
        spec = good[what][0]
        for onnx_type, dtype in DTYPES.items():
            if dtype != spec["dtype"]:
                lies[f"{what}: dtype {dtype}"] = {"dtype": dtype}
                lies[f"{what}: onnx_type of {dtype}"] = {"onnx_type": onnx_type}
                lies[f"{what}: both {dtype}"] = {"dtype": dtype, "onnx_type": onnx_type}
        lies[f"{what}: fewer dimensions"] = {"shape": [4], "dim_names": [], "formulas": []}
        lies[f"{what}: more dimensions"] = {"shape": [-1, 4, 1], "dim_names": [], "formulas": []}
        lies[f"{what}: no such ONNX type"] = {"onnx_type": 99}
    profiles = {"fewer": [[4]] * 3, "more": [[1, 4, 1], [2, 4, 1], [8, 4, 1]]}
    heads = {}
    for lie, change in lies.items():
        what = lie.split(":")[0]
        head = {**good, what: [{**good[what][0], **change}]}
        rank = lie.split(": ")[1].split()[0]
        if what == "inputs" and rank in profiles:
            head["profiles"] = [{good["inputs"][0]["name"]: profiles[rank]}]
        heads[lie] = json.dumps(head).encode()
    return heads


@pytest.mark.parametrize("lie", list(lying_headers()))
def test_a_header_of_another_graph_is_refused(lie, log):
    parts = good_parts()
    bad = forged(lying_headers()[lie], bytes(parts.onnx), bytes(parts.shapes))
    assert trt.Runtime(logger).deserialize_cuda_engine(bad) is None
    log.refused("IRuntime::deserializeCudaEngine: Error Code 1: Serialization")


def test_a_header_that_is_too_long_is_refused_before_it_is_read(log):
    parts = good_parts()
    bad = forged(b" " * header.MAX_BYTES + b"{}", bytes(parts.onnx), bytes(parts.shapes))
    assert trt.Runtime(logger).deserialize_cuda_engine(bad) is None
    log.refused("is longer than")


def test_absurd_lengths_are_refused(log):
    good = bytes(plan(RELU, SMALL))
    for position in range(16, 48, 8):  # the four lengths in the footer
        start = len(good) - 80 + position
        body = (good[:start] + b"\xff" * 8 + good[start + 8 :])[:-32]
        assert trt.Runtime(logger).deserialize_cuda_engine(body + good[-32:]) is None
        log.refused("its checksum does not match")
        assert trt.Runtime(logger).deserialize_cuda_engine(body + hashlib.sha256(body).digest()) is None
        log.refused("bytes were written")


def test_a_graph_that_is_none_is_refused(log):
    head, parts = good_parts().header.to_json(), good_parts()
    for graph, shapes in ((b"junk", bytes(parts.shapes)), (bytes(parts.onnx), b"junk"), (b"", b"")):
        assert trt.Runtime(logger).deserialize_cuda_engine(forged(head, graph, shapes)) is None
        log.refused("ONNX Runtime cannot load its graph")


def test_no_other_file_is_read_for_weights(log, tmp_path, monkeypatch):
    import onnx

    (tmp_path / "secret").write_bytes(b"\0\0\x80?" * 4)
    monkeypatch.chdir(tmp_path)
    graph = model("g (float[N,4] x) => (float[N,4] y) <float[4] w = {1, 2, 3, 4}> { y = Add(x, w) }")
    weight = graph.graph.initializer[0]
    weight.ClearField("float_data")
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "secret"), ("offset", "0"), ("length", "16")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    parts = good_parts()
    bad = forged(parts.header.to_json(), graph.SerializeToString(), bytes(parts.shapes))
    assert trt.Runtime(logger).deserialize_cuda_engine(bad) is None
    log.refused("ONNX Runtime cannot load its graph")


def test_formulas_are_bounded():
    from trt_helpers.reference.formula import evaluate

    assert evaluate("2*n + floor(m/2)", {"n": 3, "m": 5}) == 8
    for bad in ("9**9**9**9", "__import__('os')", "n.real", "(" * 9000, "1/0", "-" * 90000 + "1", "2**64", "[1]"):
        with pytest.raises((ValueError, SyntaxError)):
            evaluate(bad, {"n": 1})
    with pytest.raises(KeyError):
        evaluate("unknown", {})


def test_a_plan_of_another_format_is_named(log, monkeypatch):
    old = bytes(plan(RELU, SMALL))
    monkeypatch.setattr(plans, "FORMAT", plans.FORMAT + 1)
    assert trt.Runtime(logger).deserialize_cuda_engine(old) is None
    log.refused("has format 1, this version reads format 2")


class Reader:
    """What an ``IStreamReaderV2`` of a learner does. NVIDIA's base class needs a GPU's driver to be made."""

    def __init__(self, data: bytes, fails: bool = False):
        self.data, self.at, self.fails = data, 0, fails

    def read(self, num_bytes, stream):
        if self.fails:
            raise OSError("the disk is gone")
        piece = self.data[self.at : self.at + min(num_bytes, 1000)]
        self.at += len(piece)
        return piece


def test_a_stream_reader(log):
    runtime, data = trt.Runtime(logger), bytes(plan(RELU, SMALL))
    assert runtime._deserialize_stream(Reader(data)).num_io_tensors == 2
    assert runtime._deserialize_stream(Reader(data, fails=True)) is None
    log.refused("The stream reader failed: the disk is gone")


def test_engine_validity():
    runtime = trt.Runtime(logger)
    assert runtime.get_engine_validity(plan(RELU, SMALL)) == (trt.EngineValidity.VALID, 0)
    assert runtime.get_engine_validity(b"x" * 100)[0] == trt.EngineValidity.INVALID


# ---- plans from ONNX alone -----------------------------------------------------------------------------------


def test_a_plan_from_onnx_alone_says_so(log, capsys):
    made = plan_from_onnx_alone(model(NONZERO), [SMALL], logger)
    assert any("NVIDIA's parser and builder are not involved" in text for text in log.warnings)
    with pytest.raises(ValueError, match="NVIDIA's builder was not involved"):
        tensorrt_rtx_part(made)
    plan_from_onnx_alone(model(NONZERO), [SMALL])
    assert "not involved" in capsys.readouterr().out
    assert nonzero_engine().get_tensor_profile_shape("x", 0)[2] == (8, 4)


def test_an_upper_bound_that_nobody_knows():
    """Only ``NonZero``'s is known; another operator's has none."""
    compress = "compress (float[N,4] x, bool[4] keep) => (float[M] y) { y = Compress (x, keep) }"
    made = plan_from_onnx_alone(model(compress), [SMALL], logger)
    ctx = trt.Runtime(logger).deserialize_cuda_engine(made).create_execution_context()
    assert ctx.set_input_shape("x", (2, 4)) and ctx.get_tensor_shape("y") == (-1,)
    assert ctx.get_max_output_size("y") == -1


@pytest.mark.parametrize(
    "profile, words",
    [
        ({}, "misses"),
        ({"x": ((1, 4),) * 3, "z": ((1, 4),) * 3}, "unknown"),
        ({"x": ((2, 4), (1, 4), (8, 4))}, "min <= opt <= max"),
        ({"x": ((1, 4, 1),) * 3}, "min <= opt <= max"),
        ({"x": ((1, 5),) * 3}, "fixed sizes"),
    ],
)
def test_a_profile_that_does_not_fit_is_refused(profile, words):
    with pytest.raises(ValueError, match=words):
        plan_from_onnx_alone(model(NONZERO), [profile], logger)


def test_double_precision_is_refused_and_never_misread(log):
    """TensorRT's parser turns double into float; ONNX Runtime would read twice the bytes."""
    double = "double (double[N,4] x) => (double[N,4] y) { y = Relu(x) }"
    with pytest.raises(ValueError, match="DOUBLE"):
        plan_from_onnx_alone(model(double), [SMALL], logger)
    assert trt.Runtime(logger).deserialize_cuda_engine(plan(double, SMALL)) is None
    log.refused("Error Code 10: Unsupported State")


def test_weights_are_held_once():
    made = engine(RELU, SMALL)
    contexts = [made.create_execution_context() for _ in range(5)]
    assert len({id(ctx.engine._model.sessions) for ctx in contexts}) == 1
    if device.type == "cpu":
        for ctx in contexts:
            assert ctx.set_input_shape("x", (2, 4))
            bind(ctx, x=tensor(2, 4), y=tensor(2, 4))
            execute(ctx)
        assert len(made._model.sessions._by_stream) == 1


def test_the_builder_takes_no_unknown_attribute():
    builder = trt.Builder(th.logger)
    with pytest.raises(AttributeError, match="object has no attribute 'max_batch_size'"):
        builder.max_batch_size = 8
    builder.max_threads = 2
    assert builder.max_threads == 2


def test_nodes_may_stand_in_any_order():
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["": 20]>
        chain (float[n] x) => (float[n] y) { a = Add(x, x) b = Mul(a, x) y = Neg(b) }
    """)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    engine = th.load_engine(th.build_plan(model, th.Profile(x=((1,), (2,), (4,)))))
    x = torch.tensor([1.0, 2.0, 3.0]).to(th.device)
    assert th.infer(engine.create_execution_context(), {"x": x})["y"].tolist() == [-2.0, -8.0, -18.0]


@pytest.mark.skipif(device.type == "cuda", reason="an index out of range is undefined on a GPU")
def test_a_failed_execute_v2_spoils_the_default_stream_for_nobody():
    lookup = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["": 20]>
        lookup (int64[n] ids) => (float[n] y) <float[2] table = {5., 6.}> { y = Gather(table, ids) }
    """)
    context = th.load_engine(th.build_plan(lookup, th.Profile(ids=((1,), (1,), (4,))))).create_execution_context()
    assert context.set_input_shape("ids", (1,))
    y = torch.zeros(1).to(device)
    for value, works in [(99, False), (1, True)]:
        ids = torch.tensor([value]).to(device)
        logger.clear()
        assert context.execute_v2([ids.data_ptr(), y.data_ptr()]) is works
        assert len(logger.errors) == (0 if works else 1)
    assert y.item() == 6.0


# ---- arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("annotation", ["", "nonsense", "Strnig", "int | str", int, None])
def test_an_annotation_that_nobody_knows_fails_when_the_member_is_made(annotation):
    from trt_helpers.reference import arguments, facade

    def member(self, argument):
        """A member."""

    member.__annotations__["argument"] = annotation
    for make in (
        arguments.checked,
        lambda _: facade.Setting(annotation, None, ""),
        lambda _: facade.WriteOnly(annotation, print, ""),
    ):
        with pytest.raises(TypeError, match="no conversion is known"):
            make(member)


FORMAT_QUERIES = [
    f"get_tensor_{what}"
    for what in ("format", "format_desc", "bytes_per_component", "components_per_element", "vectorized_dim")
]


@pytest.mark.parametrize("wrong", ["nonsense", None, 1.5, b"0", [0], 2**31])
@pytest.mark.parametrize("query", FORMAT_QUERIES)
def test_format_queries_check_their_profile_index(query, wrong):
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan(RELU, SMALL))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        getattr(engine, query)("x", wrong)
    with pytest.raises(TypeError, match="incompatible function arguments"):
        getattr(engine, query)("x", profile_index=wrong)
    assert (
        getattr(engine, query)("x")
        == getattr(engine, query)("x", 0)
        == getattr(engine, query)(name="x", profile_index=0)
    )


def test_a_builder_that_is_garbage_while_a_bare_plan_is_looked_at_locks_nothing():
    """It hung: the collector ran inside a log call, and freed a builder there. In a process of its own, to be ended."""
    program = textwrap.dedent("""
        import gc
        from tests.contract.support import RELU, SMALL, plan
        from trt_helpers import logger, trt
        from trt_helpers.reference import plan as plans, tensorrt_rtx_part
        bare = tensorrt_rtx_part(plan(RELU, SMALL))[:-100]
        said = plans._Listener.log
        # As if the collector ran just then, where it may run at all.
        plans._Listener.log = lambda self, *message: (gc.isenabled() and gc.collect(), said(self, *message)) and None
        gc.set_threshold(10**6)
        cycle = [trt.Builder(logger)]
        cycle.append(cycle)
        del cycle
        assert trt.Runtime(logger).deserialize_cuda_engine(bare) is None
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, timeout=30, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
