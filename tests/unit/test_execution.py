import gc
import threading
import time

import numpy as np
import pytest
import torch

import trt_helpers as th
from trt_helpers import TensorRTError, binding, execution, trt

from .conftest import parse


def pair(rows: int = 3, columns: int = 5) -> dict[str, torch.Tensor]:
    return {name: torch.rand(rows, columns, device=th.device) for name in ("x", "w")}


def expected(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    return 2 * inputs["x"] + inputs["w"]


def refused(context, inputs, **options) -> TensorRTError:
    """The refusal of this request. The context must run a good one right after it, with the right result."""
    with pytest.raises(TensorRTError) as caught:
        th.infer(context, inputs, **options)
    good = pair()
    torch.testing.assert_close(th.infer(context, good)["y"], expected(good))
    return caught.value


# ---- what works -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 4), (3, 5), (8, 16), (0, 4), (0, 16)])
def test_agrees_with_pytorch(context, shape):
    inputs = pair(*shape)
    output = th.infer(context, inputs)["y"]
    assert (tuple(output.shape), output.dtype, output.device.type) == (shape, torch.float32, th.device.type)
    torch.testing.assert_close(output, expected(inputs))


def test_order_of_the_inputs_does_not_matter(context):
    inputs = pair()
    torch.testing.assert_close(th.infer(context, dict(reversed(inputs.items())))["y"], expected(inputs))


def test_the_callers_tensors_and_dicts_stay_as_they_were(context):
    inputs = pair()
    before = {name: tensor.clone() for name, tensor in inputs.items()}
    th.infer(context, inputs)
    assert list(inputs) == ["x", "w"] and all(torch.equal(inputs[name], before[name]) for name in inputs)


def test_results_of_two_calls_are_two_tensors(context):
    first, second = pair(), pair()
    results = [th.infer(context, inputs)["y"] for inputs in (first, second)]
    torch.testing.assert_close(results, [expected(first), expected(second)])


def test_reused_outputs_are_written_in_place_and_returned(context):
    th.set_input_shapes(context, pair())
    outputs = th.allocate_outputs(context)
    for _ in range(3):
        inputs = pair()
        assert th.infer(context, inputs, outputs) is outputs
        torch.testing.assert_close(outputs["y"], expected(inputs))


def test_own_stream(context):
    inputs, stream = pair(), th.Stream()
    for _ in range(2):
        torch.testing.assert_close(th.infer(context, inputs, stream=stream)["y"], expected(inputs))


def test_the_steps_one_by_one(context):
    inputs, stream = pair(), th.Stream()
    th.set_input_shapes(context, {name: tuple(tensor.shape) for name, tensor in inputs.items()})
    outputs = th.allocate_outputs(context)
    th.bind(context, inputs)
    th.bind(context, outputs)
    execution.execute(context, stream)
    execution.synchronize(stream)
    torch.testing.assert_close(outputs["y"], expected(inputs))


def test_each_thread_with_its_own_context(adder_engine, capsys):
    wrong = []

    def work() -> None:
        context = adder_engine.create_execution_context()
        for rows in (1, 8, 3, 5) * 5:
            inputs = pair(rows)
            if not torch.allclose(th.infer(context, inputs)["y"], expected(inputs)):
                wrong.append(rows)
            with pytest.raises(TensorRTError, match="9 is more than 8"):
                th.infer(context, pair(9))

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong and capsys.readouterr().out == ""


# ---- refused before anything runs ---------------------------------------------------------------------------------


def test_missing_inputs(context):
    error = refused(context, {"w": pair()["w"]})
    assert error.key == "inputs_missing"
    assert "Missing input(s): x. The engine's inputs are: x, w." in str(error)
    assert "Missing input(s): x, w." in str(refused(context, {}))


@pytest.mark.parametrize("name", ["z", "X", "", "x "])
def test_extra_or_misspelt_input(context, name):
    error = refused(context, {**pair(), name: torch.ones(3, 5)})
    assert error.key == "unknown_tensor"
    assert f"The engine has no input named '{name}'. It has: x, w." in str(error)
    assert "case-sensitive" in str(error)


def test_an_output_among_the_inputs(context):
    error = refused(context, {**pair(), "y": torch.ones(3, 5)})
    assert error.key == "not_an_input" and "'y' is an output" in str(error)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64, torch.bool])
def test_wrong_dtype(context, dtype):
    error = refused(context, {**pair(), "w": torch.ones(3, 5, dtype=dtype, device=th.device)})
    assert error.key == "wrong_dtype"
    assert f"w: the tensor is {dtype}, the engine wants torch.float32." in str(error)
    assert "tensor.to(torch.float32)" in str(error) and "convert=True" in str(error)


def test_wrong_device(context):
    error = refused(context, {**pair(), "x": torch.ones(3, 5, device="meta")})
    assert error.key == "wrong_device"
    assert f"x: the tensor is on 'meta', the engine reads from '{th.device.type}'." in str(error)
    assert f"tensor.to('{th.device.type}')" in str(error)


@pytest.mark.parametrize("shape", [(5,), (1, 3, 5), ()])
def test_wrong_rank(context, shape):
    error = refused(context, {**pair(), "x": torch.ones(shape, device=th.device)})
    assert error.key == "shape_wrong_rank"
    assert f"x: {shape} has {len(shape)} dimension(s), the engine expects 2: (-1, -1)." in str(error)
    assert "tensor.unsqueeze(0)" in str(error)
    assert "condition: engineDims.nbDims == dims.nbDims" in error.log


def test_more_dimensions_than_tensorrt_has(context):
    error = refused(context, {**pair(), "x": torch.ones((1,) * 9, device=th.device)})
    assert error.key == "shape_wrong_rank" and "has 9 dimension(s)" in str(error)


@pytest.mark.parametrize(
    ("shape", "clause"),
    [
        ((9, 4), "9 is more than 8 in dimension 0."),
        ((1, 3), "3 is less than 4 in dimension 1."),
        ((1, 17), "17 is more than 16 in dimension 1."),
        ((9, 17), "9 is more than 8 in dimension 0."),
    ],
)
def test_out_of_range(context, shape, clause):
    error = refused(context, pair(*shape))
    assert error.key == "shape_out_of_range"
    assert f"x: {shape} is outside profile 0, which accepts (0, 4) to (8, 16). {clause}" in str(error)
    assert "Send a shape inside the range" in str(error)
    assert "does not satisfy any optimization profiles" in error.log


def test_out_of_range_names_the_active_profile(adder):
    profiles = [
        th.Profile.same(("x", "w"), (1, 4), (1, 4), (2, 4)),
        th.Profile.same(("x", "w"), (3, 4), (3, 4), (5, 9)),
    ]
    context = th.load_engine(th.build_plan(adder, profiles)).create_execution_context()
    stream = th.Stream()
    assert context.set_optimization_profile_async(1, stream.handle)
    stream.synchronize()
    with pytest.raises(TensorRTError, match=r"\(1, 4\) is outside profile 1, which accepts \(3, 4\) to \(5, 9\)"):
        th.infer(context, pair(1, 4))
    inputs = pair(5, 9)
    torch.testing.assert_close(th.infer(context, inputs)["y"], expected(inputs))


def test_static_mismatch():
    plan = th.build_plan(
        parse("g (float[n,4] x) => (float[n,4] y) { y = Add(x, x) }"), th.Profile(x=((1, 4), (2, 4), (8, 4)))
    )
    context = th.load_engine(plan).create_execution_context()
    with pytest.raises(TensorRTError) as caught:
        th.infer(context, {"x": torch.ones(2, 5, device=th.device)})
    assert caught.value.key == "shape_static_mismatch"
    assert "x: (2, 5) does not fit (-1, 4)" in str(caught.value) and "Dimension 1 must be 4, not 5." in str(
        caught.value
    )
    assert "condition: engineDims.d[i] == dims.d[i]" in caught.value.log
    assert th.infer(context, {"x": torch.ones(1, 4, device=th.device)})["y"].tolist() == [[2.0] * 4]


@pytest.mark.parametrize("make", [lambda t: t.T, lambda t: t[:, ::2], lambda t: t[:1].expand(5, 10)])
def test_not_contiguous(context, make):
    tensor = make(torch.rand(5, 10, device=th.device)[:, :10])
    error = refused(context, {"x": tensor, "w": torch.zeros(tensor.shape, device=th.device)})
    assert error.key == "not_contiguous"
    assert f"x: the tensor is not contiguous (strides {tensor.stride()} for shape {tuple(tensor.shape)})" in str(error)


@pytest.mark.parametrize("value", [np.ones((3, 5), np.float32), [[1.0]], None, 3, "text"])
def test_not_a_tensor(context, value):
    error = refused(context, {**pair(), "x": value})
    assert error.key == "not_a_tensor"
    assert f"x: expected a torch.Tensor, got {type(value).__name__}." in str(error)


def test_shapes_that_are_allowed_one_by_one_but_not_together(context):
    error = refused(context, {"x": pair(3, 5)["x"], "w": pair(4, 5)["w"]})
    assert error.key == "shapes_disagree"
    assert "x (3, 5), w (4, 5)" in str(error) and "must be equal" in error.log


def test_one_run_with_shapes_that_disagree_does_not_reach_the_outputs_given(context):
    outputs = {"y": torch.full((3, 5), 7.0, device=th.device)}
    error = refused(context, {"x": pair(3, 5)["x"], "w": pair(4, 5)["w"]}, outputs=outputs)
    assert error.key == "shapes_disagree" and bool((outputs["y"] == 7).all())


@pytest.mark.parametrize(
    ("make", "asked"),
    [
        (lambda d: torch.empty(3, 4, device=d), "(3, 4) torch.float32 on {d}"),
        (lambda d: torch.empty(4, 5, device=d), "(4, 5) torch.float32 on {d}"),
        (lambda d: torch.empty(3, 5, 1, device=d), "(3, 5, 1) torch.float32 on {d}"),
        (lambda d: torch.empty(3, 5, dtype=torch.float16, device=d), "(3, 5) torch.float16 on {d}"),
        (lambda d: torch.empty(3, 5, device="meta"), "(3, 5) torch.float32 on meta"),
        (lambda d: torch.empty(5, 3, device=d).T, "(3, 5) torch.float32 on {d}, not contiguous"),
    ],
)
def test_outputs_that_do_not_fit(context, make, asked):
    where = th.device.type
    error = refused(context, pair(), outputs={"y": make(where)})
    assert error.key == "output_does_not_fit"
    asked = asked.format(d=where)
    assert f"y: the output tensor given is {asked}, this request produces (3, 5) torch.float32 on {where}." in str(
        error
    )
    assert "allocate_outputs(context) after the input shapes are set" in str(error)


def test_outputs_missing_unknown_or_no_tensor(context):
    assert refused(context, pair(), outputs={}).key == "output_address_missing"
    extra = {"y": torch.empty(3, 5, device=th.device), "x": torch.empty(3, 5, device=th.device)}
    assert "The engine has no output named 'x'. It has: y." in str(refused(context, pair(), outputs=extra))
    assert refused(context, pair(), outputs={"y": None}).key == "not_a_tensor"


# ---- convert=True -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda t: t.to(torch.float64), "torch.float64 on {d} -> torch.float32 on {d}"),
        (lambda t: t.to(torch.int32), "torch.int32 on {d} -> torch.float32 on {d}"),
        (lambda t: t.T.contiguous().T, "made contiguous"),
        (lambda t: t.cpu().numpy(), "ndarray -> torch.float32 on {d}"),
        (lambda t: t.tolist(), "list -> torch.float32 on {d}"),
    ],
)
def test_each_conversion_is_logged(context, capsys, make, what):
    inputs = {name: torch.arange(15.0, device=th.device).reshape(3, 5) for name in ("x", "w")}
    result = th.infer(context, {**inputs, "w": make(inputs["w"])}, convert=True)["y"]
    torch.testing.assert_close(result, expected(inputs))
    line = f"w: {what.format(d=th.device.type)}, because convert=True."
    assert th.logger.warnings == [line]
    assert capsys.readouterr().out == f"[W] {line}\n"


def test_nothing_is_logged_for_tensors_that_fit(context):
    inputs = pair()
    torch.testing.assert_close(th.infer(context, inputs, convert=True)["y"], expected(inputs))
    assert not th.logger.messages


@pytest.mark.parametrize("value", ["text", None, object()])
def test_what_cannot_be_converted_is_refused(context, value):
    assert refused(context, {**pair(), "x": value}, convert=True).key == "not_a_tensor"


# ---- failures while the work runs -----------------------------------------------------------------------------------


def ids(*values: int) -> dict[str, torch.Tensor]:
    return {"ids": torch.tensor(values, device=th.device)}


on_cpu = pytest.mark.skipif(th.device.type != "cpu", reason="a GPU does not check indices")


@on_cpu
def test_failed_work_is_an_error_and_the_context_goes_on(lookup_engine):
    context = lookup_engine.create_execution_context()
    for _ in range(2):
        with pytest.raises(TensorRTError) as caught:
            th.infer(context, ids(0, 99))
        assert caught.value.key == "execution_failed"
        assert "The enqueued work failed:" in str(caught.value) and "99" in str(caught.value)
        assert "token ids outside the vocabulary" in str(caught.value)
        assert th.infer(context, ids(0, 3))["y"].tolist() == [0.0, 30.0]


@on_cpu
def test_a_stream_that_failed_is_of_no_use_but_the_context_is(lookup_engine):
    context, stream = lookup_engine.create_execution_context(), th.Stream()
    for request in (ids(99), ids(1)):  # the second is refused for the first one's error: it is sticky
        with pytest.raises(TensorRTError, match="99"):
            th.infer(context, request, stream=stream)
    assert th.infer(context, ids(1))["y"].tolist() == [10.0]
    assert th.infer(context, ids(2), stream=th.Stream())["y"].tolist() == [20.0]


def test_an_interrupt_waits_for_the_work_before_it_frees_the_tensors():
    class Interrupted:
        waits = 0

        def synchronize(self) -> None:
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt

    stream = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        execution.synchronize(stream)
    assert stream.waits == 2


def test_an_error_without_a_text_is_named_by_its_type():
    class Failing:
        def synchronize(self) -> None:
            raise ValueError

    with pytest.raises(TensorRTError, match="The enqueued work failed: ValueError"):
        execution.synchronize(Failing())


# ---- the steps, refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "key", "clause"),
    [
        ({"z": (3, 5)}, "unknown_tensor", "The engine has no input named 'z'. It has: x, w."),
        ({"y": (3, 5)}, "not_an_input", "'y' is an output: its shape is computed by the engine."),
        ({"x": (9, 5)}, "shape_out_of_range", "9 is more than 8"),
        ({"x": (-1, 5)}, "shape_out_of_range", "-1 is less than 0"),
        ({"x": (2**40, 5)}, "shape_out_of_range", "is more than 8"),
        ({"x": 5}, "not_a_shape", "x: 5 is not a shape."),
        ({"x": (3, 5.0)}, "not_a_shape", "x: (3, 5.0) is not a shape."),
        ({"x": "ab"}, "not_a_shape", "x: 'ab' is not a shape."),
    ],
)
def test_set_input_shapes_refuses(context, shapes, key, clause):
    th.set_input_shapes(context, {"x": (2, 6), "w": (2, 6)})
    with pytest.raises(TensorRTError) as caught:
        th.set_input_shapes(context, shapes)
    assert caught.value.key == key and clause in str(caught.value)
    assert tuple(context.get_tensor_shape("x")) == (2, 6)


def test_set_input_shapes_takes_lists_numpy_and_torch_sizes(context):
    th.set_input_shapes(context, {"x": [np.int64(3), 5], "w": torch.Size((3, 5))})
    assert tuple(context.get_tensor_shape("y")) == (3, 5)


def test_allocate_outputs_needs_all_shapes(context):
    for shapes, missing in (({}, "x, w"), ({"x": (3, 5)}, "w")):
        th.set_input_shapes(context, shapes)
        with pytest.raises(TensorRTError, match=f"The shape of {missing} has not been set"):
            th.allocate_outputs(context)


def test_an_output_whose_size_depends_on_the_data_is_named(context, monkeypatch):
    th.set_input_shapes(context, {"x": (3, 5), "w": (3, 5)})
    monkeypatch.setattr(type(context), "get_tensor_shape", lambda self, name: (-1, 5))
    with pytest.raises(TensorRTError, match=r"The shape of output 'y' is \(-1, 5\) although all inputs are set"):
        th.allocate_outputs(context)


@pytest.mark.parametrize(
    ("tensors", "key"),
    [
        ({"z": torch.ones(1)}, "unknown_tensor"),
        ({"x": torch.ones(1, dtype=torch.int8)}, "wrong_dtype"),
        ({"y": torch.ones(1, device="meta")}, "wrong_device"),
        ({"w": torch.ones(2, 2, device=th.device).T}, "not_contiguous"),
        ({"x": 1234}, "not_a_tensor"),
    ],
)
def test_bind_refuses_what_an_address_cannot_show(context, tensors, key):
    good = pair()
    th.bind(context, {"x": good["x"]})
    address = context.get_tensor_address("x")
    tensors = {
        n: t.to(th.device) if getattr(t, "is_cpu", False) and t.is_contiguous() else t for n, t in tensors.items()
    }
    with pytest.raises(TensorRTError) as caught:
        th.bind(context, {"x": good["w"], **tensors})
    assert caught.value.key == key
    assert context.get_tensor_address("x") == address, "one refused tensor must leave all addresses as they were"


def test_bind_gives_empty_tensors_an_address(context):
    empty = torch.empty(0, 4, device=th.device)
    assert empty.data_ptr() == 0
    th.bind(context, {"x": empty})
    assert context.get_tensor_address("x") != 0


def test_bind_reports_a_false_of_tensorrt(context, monkeypatch):
    monkeypatch.setattr(type(context), "set_tensor_address", lambda *_: False)
    with pytest.raises(TensorRTError, match=r"set_tensor_address\('x', \.\.\.\) returned False"):
        th.bind(context, pair())


def test_execute_without_shapes(context):
    with pytest.raises(TensorRTError) as caught:
        execution.execute(context, th.Stream())
    assert caught.value.key == "shapes_not_specified" and "The shape of x, w has not been set." in str(caught.value)


@pytest.mark.parametrize(
    ("bound", "key", "tensor"),
    [
        ((), "input_address_missing", "x"),
        (("x",), "input_address_missing", "w"),
        (("x", "w"), "output_address_missing", "y"),
    ],
)
def test_execute_without_addresses(context, bound, key, tensor):
    inputs = pair()
    th.set_input_shapes(context, inputs)
    th.bind(context, {name: inputs[name] for name in bound})
    with pytest.raises(TensorRTError) as caught:
        execution.execute(context, th.Stream())
    assert caught.value.key == key and f"'{tensor}'" in str(caught.value)
    assert f"set_tensor_address('{tensor}'" in str(caught.value)


@pytest.mark.skipif(th.device.type != "cpu", reason="CUDA has no way to know")
def test_execute_on_a_stream_that_is_gone(context):
    inputs = pair()
    th.infer(context, inputs)
    th.bind(context, {"y": torch.empty(3, 5)})

    gone = th.Stream()
    gone.handle = 123456
    with pytest.raises(TensorRTError, match="123456 is not the handle of a live stream"):
        execution.execute(context, gone)


def test_execute_reports_a_false_without_a_reason(context, monkeypatch):
    monkeypatch.setattr(type(context), "execute_async_v3", lambda *_: False)
    with pytest.raises(TensorRTError, match=r"execute_async_v3\(stream.handle\) returned False"):
        execution.execute(context, th.Stream())


def test_refusals_print_nothing_and_are_kept_in_the_log(context, capsys):
    with pytest.raises(TensorRTError):
        th.infer(context, pair(9))
    assert capsys.readouterr().out == ""
    assert len(th.logger.errors) == 1


def test_a_logger_of_their_own_takes_nothing_from_the_message(adder, capsys):
    mine = th.Logger(None)
    plan = th.build_plan(adder, th.Profile.same(("x", "w"), (1, 4), (2, 8), (8, 16)), log=mine)
    context = th.load_engine(plan, log=mine).create_execution_context()
    with pytest.raises(TensorRTError, match="9 is more than 8 in dimension 0"):
        th.infer(context, pair(9))
    assert len(mine.errors) == 1


# ---- nothing is left behind ------------------------------------------------------------------------------------------


@on_cpu
def test_requests_leave_no_threads_behind(adder_engine):
    def stream_threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("stream-")}

    before = stream_threads()
    context = adder_engine.create_execution_context()
    for _ in range(20):
        th.infer(context, pair())
    assert len(stream_threads() - before) <= 1
    started = stream_threads() - before
    del context
    gc.collect()
    for thread in started:
        thread.join(10)
    assert not stream_threads() - before


def test_namespace_is_the_lanes():
    assert execution.trt is trt


# ---- shape inputs -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiler():
    """y = x repeated as often as the values of ``times`` say: the output's size is in an input's values."""
    model = parse("tiler (float[2,2] x, int64[2] times) => (float[m,n] y) { y = Tile(x, times) }")
    builder = trt.Builder(th.logger)
    network = builder.create_network()
    assert trt.OnnxParser(network, th.logger).parse(model)
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    profile.set_shape_input("times", (1, 1), (2, 2), (8, 8))
    assert config.add_optimization_profile(profile) == 0
    return th.load_engine(builder.build_serialized_network(network, config)).create_execution_context()


def test_the_values_of_this_request_size_its_outputs(tiler):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).to(th.device)
    for times in ([1, 2], [8, 8], [2, 1]):  # larger and smaller than the request before
        result = th.infer(tiler, {"x": x, "times": torch.tensor(times)})["y"]
        torch.testing.assert_close(result, x.repeat(*times))


def test_a_shape_input_without_address_is_named(tiler):
    fresh = tiler.engine.create_execution_context()
    with pytest.raises(th.TensorRTError) as caught:
        th.allocate_outputs(fresh)
    assert caught.value.key == "shapes_not_specified"
    assert "times" in str(caught.value) and "needs its address as well" in str(caught.value)


# ---- two threads ------------------------------------------------------------------------------------------------


def test_a_second_threads_request_on_a_busy_context_is_refused(context):
    stream, inputs = th.Stream(), pair()
    th.infer(context, inputs, stream=stream)
    results = []
    with th.Gate() as gate:
        gate.hold(stream)
        first = threading.Thread(target=lambda: results.append(th.infer(context, inputs, stream=stream)["y"]))
        first.start()
        wait_until(execution._kept[context].busy.locked)
        for ask in (th.infer, th.infer_async):
            with pytest.raises(TensorRTError) as refusal:
                ask(context, pair(8, 16))
            assert refusal.value.key == "context_in_use" and "a context of its own" in str(refusal.value)
    first.join()
    torch.testing.assert_close(results, [expected(inputs)])
    torch.testing.assert_close(th.infer(context, inputs)["y"], expected(inputs))


def wait_until(holds) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come to pass in 10 s")


@pytest.mark.parametrize("ask", [th.infer, lambda *request: th.infer_async(*request).result()])
def test_requests_of_many_threads_on_one_context_are_right_or_refused(context, ask):
    """Their sizes differ: shapes of one with the addresses of another would write past an output's end."""
    answered, refusals, wrong = [], [], []

    def requests(columns: int) -> None:
        for rows in [1, 8] * 40:
            inputs = pair(rows, columns)
            try:
                answered.append(torch.equal(ask(context, inputs)["y"], expected(inputs)))
            except TensorRTError as error:
                refusals.append(error.key)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=requests, args=(columns,)) for columns in (4, 8, 12, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and answered and all(answered) and set(refusals) <= {"context_in_use"}


# ---- a context on a profile ---------------------------------------------------------------------------------------


DOUBLE = "g (float[n] x) => (float[n] y) { y = Add(x, x) }"


@pytest.mark.parametrize("profile", [0, 1])
def test_a_context_on_a_profile(profile):
    engine = th.load_engine(th.build_plan(parse(DOUBLE), [th.Profile(x=((n,), (n,), (n,))) for n in (2, 3)]))
    context = binding.context_on_profile(engine, profile, th.Stream())
    assert context.active_optimization_profile == profile
    assert th.infer(context, {"x": torch.ones(profile + 2, device=th.device)})["y"].tolist() == [2.0] * (profile + 2)


def test_a_context_on_no_profile_is_tensorrts_error(adder_engine):
    with th.logger.quietly(), pytest.raises(RuntimeError):
        binding.context_on_profile(adder_engine, 9, th.Stream())
