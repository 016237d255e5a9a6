"""The checks of lesson 3's exercises: the right answer is accepted, each wrong one is told what is wrong."""

import pytest
import torch

import trt_helpers as th
from trt_helpers import tensors, trt
from trt_helpers.course import practice


def said(capsys) -> str:
    """What a check printed, without TensorRT's log lines."""
    return "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("["))


# ---- request -------------------------------------------------------------------------------------------------


def test_the_request_is_accepted(capsys):
    practice.check_request({"left": (7, 2), "right": (7, 5)})
    assert said(capsys) == "Right. As many rows for both, and each with its own columns."


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"left": (7, 2), "right": ...}, "Not solved yet"),
        ({"left": (7, 2), "right": (7, 2)}, "right: (7, 2) does not fit"),
        ({"left": (7, 2), "right": (1, 5)}, "together they do not fit: left (7, 2), right (1, 5)"),
        ({"left": (7, 2), "right": (5,)}, "right: (5,) has 1 dimension"),
        ({"left": (7, 2), "right": (-1, 5)}, "right: (-1, 5)"),
        ({"left": (2, 2), "right": (2, 5)}, "'both' has shape (2, 7), expected (7, 7)"),
        ({"left": (7, 2), "right": "(7, 5)"}, "right: "),
        ({"left": (7, 2)}, "Expected a dictionary with the shapes of left and right."),
        ((7, 5), "Expected a dictionary with the shapes of left and right."),
    ],
)
def test_other_requests_are_told_why(capsys, request_, words):
    practice.check_request(request_)
    assert words in said(capsys)


# ---- worst_bytes ---------------------------------------------------------------------------------------------


def worst(engine, profile, column=2, itemsize=None, switch=True):
    context, stream = engine.create_execution_context(), th.Stream()
    if switch:
        context.set_optimization_profile_async(profile, stream.handle)
    for name in tensors.input_names(engine):
        context.set_input_shape(name, engine.get_tensor_profile_shape(name, profile)[column])
    return {
        name: trt.volume(context.get_tensor_shape(name)) * (itemsize or engine.get_tensor_dtype(name).itemsize)
        for name in tensors.output_names(engine)
    }


def of_the_engine(engine, profile):
    return {name: trt.volume(engine.get_tensor_shape(name)) * -1 for name in tensors.output_names(engine)}


def test_the_worst_is_accepted(capsys):
    practice.check_worst_bytes(worst)
    assert said(capsys) == "Right. You know the worst before it comes."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda engine, k: ..., "Not solved yet"),
        (
            lambda engine, k: worst(engine, k, itemsize=4),
            "'half' in profile 0: expected 1,024 bytes, got 2048. An element",
        ),
        (lambda engine, k: worst(engine, k, itemsize=1), "An element of HALF has 2 byte(s)."),
        (lambda engine, k: worst(engine, k, column=1), "each input at its max?"),
        (lambda engine, k: worst(engine, 0), "'half' in profile 1: expected 5,120 bytes, got 1024. Is the context on"),
        (lambda engine, k: worst(engine, k, switch=False), "'half' in profile 1"),
        (of_the_engine, "The engine's shape has -1 in it"),
        (lambda engine, k: sum(worst(engine, k).values()), "Expected a dictionary with the outputs half, big, pair"),
        (lambda engine, k: {"x": 1024}, "Expected a dictionary with the outputs half, big, pair"),
        (lambda engine, k: 1 / 0, "For profile 0 your function raised ZeroDivisionError"),
    ],
)
def test_other_sizes_are_told_why(capsys, wrong, words):
    practice.check_worst_bytes(wrong)
    assert words in said(capsys)


# ---- verdict -------------------------------------------------------------------------------------------------


def verdict(context, shapes, look=True, missing="missing", disagree="disagree"):
    accepted = [context.set_input_shape(name, shape) for name, shape in shapes.items()]
    if look and not all(accepted):
        return "refused"
    try:
        return missing if context.infer_shapes() else "ok"
    except RuntimeError:
        return disagree


def test_the_verdict_is_accepted(capsys):
    practice.check_verdict(verdict)
    assert said(capsys) == "Right. Nothing slips past you."


def does_not_catch(context, shapes):
    accepted = [context.set_input_shape(name, shape) for name, shape in shapes.items()]
    return ("missing" if context.infer_shapes() else "ok") if all(accepted) else "refused"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda context, shapes: ..., "Not solved yet"),
        (lambda context, shapes: verdict(context, shapes, look=False), "got 'ok'. set_input_shape returned False"),
        (lambda context, shapes: verdict(context, shapes, missing="ok"), "expected 'missing', got 'ok'. An input has"),
        (lambda context, shapes: verdict(context, shapes, disagree="refused"), "expected 'disagree', got 'refused'."),
        (lambda context, shapes: "refused", "expected 'ok', got 'refused'. 1 to 600 rows are allowed"),
        (does_not_catch, "your function raised RuntimeError: infer_shapes error code: -1"),
        (lambda context, shapes: True, "expected 'ok', got True"),
    ],
)
def test_other_verdicts_are_told_why(capsys, wrong, words):
    practice.check_verdict(wrong)
    assert words in said(capsys)


# ---- Keeping -------------------------------------------------------------------------------------------------


class Keeping(trt.IOutputAllocator):
    def __init__(self):
        trt.IOutputAllocator.__init__(self)
        self.memory = self.shape = None

    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        if self.memory is None or self.memory.nbytes < size:
            self.memory = torch.empty(size, dtype=torch.uint8, device=th.device)
        return self.memory.data_ptr()

    def notify_shape(self, tensor_name, shape):
        self.shape = tuple(shape)


class AlwaysNew(Keeping):
    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        # The old one is kept alive: freed memory might be handed out again, at the same address.
        self.old = [*getattr(self, "old", []), self.memory]
        self.memory = torch.empty(size, dtype=torch.uint8, device=th.device)
        return self.memory.data_ptr()


class NeverGrows(Keeping):
    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        if self.memory is None:
            self.memory = torch.empty(size, dtype=torch.uint8, device=th.device)
        return self.memory.data_ptr()


class CountsElements(Keeping):
    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        if self.memory is None or self.memory.numel() < size // 4:
            self.memory = torch.empty(size // 4, dtype=torch.uint8, device=th.device)
        return self.memory.data_ptr()


class ReturnsTheTensor(Keeping):
    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        super().reallocate_output_async(tensor_name, memory, size, alignment, stream)
        return self.memory


class ReturnsNothing(Keeping):
    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        super().reallocate_output_async(tensor_name, memory, size, alignment, stream)


class KeepsItElsewhere(Keeping):
    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        self.mine = torch.empty(size, dtype=torch.uint8, device=th.device)
        return self.mine.data_ptr()


class ForgetsTheShape(Keeping):
    reallocate_output_async = Keeping.reallocate_output_async

    def notify_shape(self, tensor_name, shape):
        pass


class FirstShapeOnly(Keeping):
    reallocate_output_async = Keeping.reallocate_output_async

    def notify_shape(self, tensor_name, shape):
        self.shape = self.shape or tuple(shape)


class NoBaseInit(trt.IOutputAllocator):
    def __init__(self):
        self.memory = None

    reallocate_output_async = Keeping.reallocate_output_async


class NoBase:
    memory = shape = None
    reallocate_output_async = Keeping.reallocate_output_async
    notify_shape = Keeping.notify_shape


class Untouched(trt.IOutputAllocator): ...


def test_the_allocator_is_accepted(capsys):
    practice.check_keeping(Keeping)
    assert said(capsys) == "Right. Memory for the largest request, taken once."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Untouched, "Not solved yet: write reallocate_output_async and notify_shape"),
        (Keeping(), "Expected the class Keeping, got Keeping."),
        (AlwaysNew, "New memory was taken although the old was large enough"),
        (NeverGrows, "4096 bytes were asked for; self.memory has 1024 bytes"),
        (CountsElements, "1024 bytes were asked for; self.memory has 256 bytes"),
        (ReturnsTheTensor, "reallocate_output_async returned Tensor; expected an address"),
        (ReturnsNothing, "reallocate_output_async returned NoneType; expected an address"),
        (KeepsItElsewhere, "self.memory is NoneType, not a tensor"),
        (ForgetsTheShape, "'both' has shape (600, 7), your allocator's shape is None"),
        (FirstShapeOnly, "'both' has shape (3, 7), your allocator's shape is (600, 7)"),
        (NoBaseInit, "TypeError"),
        (NoBase, "TypeError"),
    ],
)
def test_other_allocators_are_told_why(capsys, wrong, words):
    practice.check_keeping(wrong)
    assert words in said(capsys)
