"""What returns False, what raises, what is a TypeError (rules 1 to 5)."""

import mmap

import pytest
import torch

from tests.contract.support import FIXED, RELU, SMALL, context, plan, tensor
from trt_helpers import Stream, logger, trt


def test_rule_1_bad_state_returns_false_and_logs_one_error(log):
    ctx = context(RELU, SMALL)
    refusals = [
        lambda: ctx.set_input_shape("nope", (1, 4)),
        lambda: ctx.set_tensor_address("nope", 256),
        lambda: ctx.set_output_allocator("x", None),
        lambda: ctx.execute_async_v3(Stream().handle),
        lambda: ctx.execute_v2([256, 256]),
    ]
    for refusal in refusals:
        assert refusal() is False
        log.refused("Error Code ")


def test_rule_2_the_two_methods_that_raise(log):
    ctx = context(RELU, SMALL)
    with pytest.raises(RuntimeError, match=r"^Error in set optimization profile async\.$"):
        ctx.set_optimization_profile_async(7, Stream().handle)
    with pytest.raises(RuntimeError, match="Binding index does not correspond to an input shape tensor"):
        ctx.engine.get_tensor_profile_values(0, "x")
    with pytest.raises(RuntimeError, match="number of input dims exceeds the maximum"):
        ctx.set_input_shape("x", (1,) * 9)


def test_rule_2_profile_switch_returns_true():
    assert context(RELU, SMALL).set_optimization_profile_async(0, Stream().handle) is True


def test_rule_3_wrong_types_are_type_errors():
    ctx = context(RELU, SMALL)
    for call in (
        lambda: ctx.set_tensor_address("x", None),
        lambda: ctx.set_tensor_address("x", tensor(2, 4)),
        lambda: ctx.set_tensor_address("x", 1.5),
        lambda: ctx.set_tensor_address("x", -1),
        lambda: ctx.set_tensor_address("x"),
        lambda: ctx.set_tensor_address(3, 256),
        lambda: ctx.set_input_shape("x", 4),
        lambda: ctx.set_output_allocator("y", object()),
        lambda: ctx.execute_async_v3(Stream()),
        lambda: ctx.execute_v2(5),
        lambda: ctx.engine.get_tensor_shape(0),
        lambda: ctx.engine.get_tensor_name("x"),
        lambda: ctx.engine.create_execution_context(17),
    ):
        with pytest.raises(TypeError, match=r"incompatible function arguments\. The following argument types"):
            call()


def test_rule_3_a_float_inside_a_shape_is_a_runtime_error():
    with pytest.raises(RuntimeError, match="Unable to cast Python instance"):
        context(RELU, SMALL).set_input_shape("x", (1.5, 4))


def test_rule_3_what_counts_as_an_int_and_as_a_shape():
    import numpy as np

    ctx = context(RELU, SMALL)
    for shape in ((2, 4), [2, 4], torch.Size([2, 4]), trt.Dims([2, 4]), (np.int64(2), np.int32(4))):
        assert ctx.set_input_shape("x", shape)
    assert ctx.set_tensor_address("x", np.uint64(4096)) and ctx.get_tensor_address("x") == 4096


def test_rule_4_bad_plans_are_none_and_one_line(log):
    runtime = trt.Runtime(logger)
    good = bytes(memoryview(plan(RELU, SMALL)))
    for bad, *fragments in (
        (b"", "IRuntime::deserializeCudaEngine: Error Code 3", "Cannot deserialize with an empty memory buffer"),
        (b"xx", "Error Code 2: Internal Error", "bufferSize >= minBufferSize"),
        (b"x" * 5000, "Error Code 1: Serialization", "header.magicTag == kEXPECTED_MAGIC_TAG", "2021161080 != "),
        (good[:-9], "Error Code 1: Serialization", "plan.header.size == blobSize"),
    ):
        assert runtime.deserialize_cuda_engine(bad) is None
        log.refused(*fragments)


def test_rule_4_every_attempt_logs_the_size(log):
    trt.Runtime(logger).deserialize_cuda_engine(plan(RELU, SMALL))
    assert any(text.startswith("Loaded engine size: ") and text.endswith(" MiB") for text in log.texts("I"))


def test_rule_4_any_buffer_will_do():
    good = bytes(memoryview(plan(RELU, SMALL)))
    pages = mmap.mmap(-1, len(good))
    pages.write(good)
    for buffer in (good, bytearray(good), memoryview(good), pages, plan(RELU, SMALL)):
        assert trt.Runtime(logger).deserialize_cuda_engine(buffer) is not None


def test_rule_4_no_buffer_is_a_type_error():
    for wrong in ("plan", 3, None):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            trt.Runtime(logger).deserialize_cuda_engine(wrong)


def test_rule_5_an_engine_that_is_none_has_no_contexts(log):
    nothing = trt.Runtime(logger).deserialize_cuda_engine(b"")
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'create_execution_context'"):
        nothing.create_execution_context()


def test_convention_2_setters_lose_the_bool(log):
    runtime = trt.Runtime(logger)
    runtime.max_threads = 0
    assert runtime.max_threads == 1
    log.refused("Error Code 3", "maxThreads > 0")
    runtime.max_threads = 3
    assert runtime.max_threads == 3


def test_convention_5_errors_go_to_the_recorder_and_no_longer_to_the_logger(log):
    from tests.contract.support import ErrorRecorder

    ctx, recorder = context(RELU, SMALL), ErrorRecorder()
    ctx.error_recorder = recorder
    assert ctx.set_input_shape("x", (99, 4)) is False
    assert log.errors == []
    (code, text), *more = recorder.errors
    assert not more and code == trt.ErrorCodeTRT.INVALID_ARGUMENT and "satisfyProfile" in text
    ctx.error_recorder = None
    assert ctx.set_input_shape("x", (99, 4)) is False and len(log.errors) == 1


def test_convention_5_recorders_are_handed_on():
    from tests.contract.support import ErrorRecorder

    runtime, recorder = trt.Runtime(logger), ErrorRecorder()
    runtime.error_recorder = recorder
    made = runtime.deserialize_cuda_engine(plan(FIXED))
    assert made.error_recorder is recorder and made.create_execution_context().error_recorder is recorder


def test_classes_are_not_constructible_and_have_no_other_members():
    for cls in (trt.ICudaEngine, trt.IExecutionContext):
        with pytest.raises(TypeError, match="No constructor defined"):
            cls()
    with pytest.raises(TypeError, match="incompatible constructor arguments"):
        trt.Runtime(None)
    ctx = context(FIXED)
    with pytest.raises(AttributeError, match="has no attribute 'misspelt'"):
        ctx.misspelt = 1
    with pytest.raises(AttributeError, match="has no attribute 'set_binding_shape'"):
        ctx.set_binding_shape(0, (1, 4))
    with pytest.raises(AttributeError, match="has no setter"):
        ctx.engine.num_layers = 3
    with pytest.raises(AttributeError, match="has no getter"):
        trt.Runtime(logger).gpu_allocator  # noqa: B018


def test_runtime_members():
    runtime = trt.Runtime(logger)
    assert runtime.logger is logger
    assert runtime.error_recorder is None and runtime.temporary_directory is None
    assert (runtime.tempfile_control_flags, runtime.engine_host_code_allowed) == (3, False)
    assert runtime.num_DLA_cores >= 0 and runtime.get_plugin_registry() is not None


def test_deprecated_with_still_works():
    with pytest.warns(DeprecationWarning), trt.Runtime(logger) as runtime:
        assert runtime.max_threads == 1
