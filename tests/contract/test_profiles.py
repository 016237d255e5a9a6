"""Optimization profiles (rules 31 to 43)."""

import pytest

from tests.contract.support import FIXED, LARGE, RELU, SMALL, bind, context, engine, execute, tensor
from trt_helpers import Stream


def switch(ctx, index: int) -> None:
    stream = Stream()
    assert ctx.set_optimization_profile_async(index, stream.handle)
    stream.synchronize()


def test_rule_31_a_new_context_starts_on_profile_0():
    made = engine(RELU, SMALL, LARGE)
    first, second = made.create_execution_context(), made.create_execution_context()
    assert first.active_optimization_profile == second.active_optimization_profile == 0
    with pytest.raises(AttributeError):
        first.active_optimization_profile = 1


def test_rule_32_profile_then_shapes_then_execute():
    ctx, x, y = context(RELU, SMALL, LARGE), tensor(20, 4), tensor(20, 4, fill=-999)
    switch(ctx, 1)
    assert ctx.set_input_shape("x", (20, 4))
    bind(ctx, x=x, y=y)
    execute(ctx)
    assert (y == x.relu()).all()


def test_rule_33_a_switch_forgets_dynamic_shapes():
    ctx = context(RELU, SMALL, LARGE)
    assert ctx.set_input_shape("x", (8, 4))
    switch(ctx, 1)
    assert ctx.active_optimization_profile == 1 and ctx.get_tensor_shape("x") == (-1, 4)


def test_rule_34_after_a_switch_inputs_are_listed_again(log):
    ctx, x, y = context(RELU, SMALL, LARGE), tensor(8, 4), tensor(8, 4)
    assert ctx.set_input_shape("x", (8, 4)) and ctx.infer_shapes() == []
    switch(ctx, 1)
    assert ctx.infer_shapes() == ["x"] and ctx.get_tensor_shape("y") == (-1, 4)
    bind(ctx, x=x, y=y)
    assert ctx.execute_async_v3(Stream().handle) is False
    log.refused("enqueueV3", "Not all shapes are specified", ": x.")


def test_rule_34_forced_dimensions_follow_the_profile():
    ctx = context(RELU, SMALL, {"x": ((5, 4), (5, 4), (5, 4))})
    assert ctx.get_tensor_shape("x") == (-1, 4)
    switch(ctx, 1)
    assert ctx.get_tensor_shape("x") == (5, 4) and ctx.infer_shapes() == []


def test_rule_35_no_such_profile(log):
    ctx = context(RELU, SMALL, LARGE)
    for index in (2, -1):
        with pytest.raises(RuntimeError, match=r"^Error in set optimization profile async\.$"):
            ctx.set_optimization_profile_async(index, Stream().handle)
        assert len(log.errors) == 1 and ctx.active_optimization_profile == 0
        log.forget()


def test_rule_36_the_same_stream_for_switch_and_execution():
    ctx, x, y, stream = context(RELU, SMALL, LARGE), tensor(9, 4), tensor(9, 4, fill=-999), Stream()
    assert ctx.set_optimization_profile_async(1, stream.handle) and ctx.set_input_shape("x", (9, 4))
    bind(ctx, x=x, y=y)
    assert ctx.execute_async_v3(stream.handle)
    stream.synchronize()
    assert (y == x.relu()).all()


def test_rule_39_one_context_goes_back_and_forth():
    ctx = context(RELU, SMALL, LARGE)
    for index, rows in ((0, 2), (1, 20), (0, 3), (1, 9)):
        x, y = tensor(rows, 4), tensor(rows, 4, fill=-999)
        switch(ctx, index)
        assert ctx.set_input_shape("x", (rows, 4))
        bind(ctx, x=x, y=y)
        execute(ctx)
        assert (y == x.relu()).all()


def test_rule_40_two_contexts_on_one_profile():
    made, x, outputs = engine(RELU, SMALL), tensor(2, 4), []
    for ctx in (made.create_execution_context(), made.create_execution_context()):
        outputs.append(tensor(2, 4, fill=-999))
        assert ctx.set_input_shape("x", (2, 4))
        bind(ctx, x=x, y=outputs[-1])
        execute(ctx)
    assert all((y == x.relu()).all() for y in outputs)


def test_rule_41_a_static_engine_has_one_profile():
    ctx = context(FIXED)
    assert ctx.engine.num_optimization_profiles == 1
    switch(ctx, 0)
    assert ctx.active_optimization_profile == 0


def test_rule_42_no_profile_is_ever_picked_for_you():
    ctx = context(RELU, SMALL, LARGE)
    assert ctx.set_input_shape("x", (8, 4)) and ctx.active_optimization_profile == 0
    switch(ctx, 1)
    assert ctx.set_input_shape("x", (8, 4)) and ctx.active_optimization_profile == 1


def test_rule_43_opt_does_not_decide_what_is_legal():
    ctx = context(RELU, SMALL)
    assert all(ctx.set_input_shape("x", (rows, 4)) for rows in range(1, 9))
