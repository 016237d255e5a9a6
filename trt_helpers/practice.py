"""Checks for the exercises. Each compares with an independent reference and says what is wrong, and with which tensor.

A check prints and never raises, so that a notebook with unsolved exercises still runs to its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import onnx.parser
import torch

from .backend import device, trt
from .engine import Profile, build_plan, load_engine
from .errors import TensorRTError
from .execution import bind, set_input_shapes
from .log import logger
from .masked_lm import MaskedLM
from .streams import Stream, synchronize_all
from .tensors import input_names


def _right(text: str) -> None:
    print(f"Right. {text}")


def _not_yet(text: str) -> None:
    print(f"Not yet. {text}")


def _untouched(value: object) -> bool:
    """Whether a stub was left as it was; says so, kindly."""
    if value is ... or value is None:
        what = "replace the ... and run this cell again. (A function that returns nothing looks like this too.)"
        print(f"Not solved yet: {what}")
        return True
    return False


def _engine(onnx_text: str, profiles: list[Profile]) -> trt.ICudaEngine:
    return load_engine(build_plan(onnx.parser.parse_model(onnx_text).SerializeToString(), profiles))


# ---- lesson 1 ----------------------------------------------------------------------------------------------


def check_row_profile(doubler: bytes, profile: object) -> None:
    """Lesson 1, exercise 1: accepts 1 to 32 rows of exactly 10 columns, tuned for 8 rows."""
    if _untouched(profile):
        return
    if not isinstance(profile, dict):
        return _not_yet(f"Expected th.Profile(x=(min, opt, max)), got {type(profile).__name__}.")
    try:
        engine = load_engine(build_plan(doubler, Profile(profile)))
    except (TensorRTError, TypeError, ValueError) as error:
        return _not_yet(f"The builder does not take this profile. {error}")
    context = engine.create_execution_context()
    with logger.quietly():
        for shape, wanted in {(1, 10): True, (32, 10): True, (33, 10): False, (0, 10): False, (4, 9): False}.items():
            if context.set_input_shape("x", shape) != wanted:
                verb = "refuses" if wanted else "accepts"
                return _not_yet(f"x: the engine {verb} {shape}; it should {'accept' if wanted else 'refuse'} it.")
        if context.set_input_shape("x", (4, 11)):
            return _not_yet("x: the engine accepts (4, 11); exactly 10 columns were asked for.")
    opt = tuple(engine.get_tensor_profile_shape("x", 0)[1])
    if opt != (8, 10):
        return _not_yet(f"x: the range is right, but opt is {opt}; the likeliest shape is (8, 10).")
    return _right("1 to 32 rows of 10 columns, tuned for 8.")


# Its output has another name, shape and dtype than its input: whoever copied the input's is found out.
_UNSEEN = """
    <ir_version: 10, opset_import: ["": 20]>
    unseen (float[height, width] picture) => (int32[width, height] counted) {
        turned = Transpose <perm = [1, 0]> (picture)
        counted = Cast <to = 6> (turned)
    }
"""


def check_run(run: Callable[[trt.ICudaEngine, torch.Tensor], torch.Tensor]) -> None:
    """Lesson 1, exercise 2: ``run(engine, x)`` works on an engine that it has never seen."""
    model = onnx.parser.parse_model(_UNSEEN)
    engine = load_engine(build_plan(model, Profile(picture=((1, 1), (4, 4), (4096, 4096)))))
    kept = []
    try:
        # The large one first: whoever does not wait for it reads it long before it is there.
        for shape in [(4096, 4096), (2, 3), (5, 1)]:
            picture = torch.arange(float(shape[0] * shape[1])).reshape(shape)
            expected = picture.T.to(torch.int32).to(device)  # now: nothing may delay the comparison
            kept += [picture.to(device)]
            try:
                counted = run(engine, kept[-1])
            except Exception as error:
                return _not_yet(f"For an input of shape {shape} your function raised {type(error).__name__}: {error}")
            kept += [counted]
            if _untouched(counted):
                return None
            problem = _difference("counted", counted, expected)
            if problem:
                return _not_yet(f"For an input of shape {shape}: {problem}")
        return _right("It runs an engine that it had never seen, in three shapes.")
    finally:
        synchronize_all()  # work that nobody waited for may still write to the kept tensors


def _difference(name: str, got: object, expected: torch.Tensor) -> str:
    """In what a tensor differs from the expected one; empty if in nothing."""
    if not isinstance(got, torch.Tensor):
        return f"'{name}' should be a tensor, it is {type(got).__name__}."
    if got.shape != expected.shape:
        return (
            f"'{name}' has shape {tuple(got.shape)}, expected {tuple(expected.shape)}. "
            "Ask the context for it, after the input's shape is set."
        )
    if got.dtype != expected.dtype:
        return f"'{name}' is {got.dtype}, expected {expected.dtype}. The engine knows: get_tensor_dtype."
    if got.device != expected.device:
        return f"'{name}' is on {got.device}, expected {expected.device}: leave it where the engine wrote it."
    if not torch.equal(got, expected):
        return (
            f"'{name}' has the right shape and wrong values. Is the work done when you read it, "
            "and did every call return True?"
        )
    return ""


# ---- lesson 2 ----------------------------------------------------------------------------------------------

_TWO_INPUTS = """
    <ir_version: 10, opset_import: ["": 20]>
    two (float[rows, columns] table, float[count] list) => (float[rows, columns] a, float[count] b) {
        a = Neg(table)
        b = Neg(list)
    }
"""


@cache
def _two_inputs() -> trt.ICudaEngine:
    """Three profiles: the first that fits is not always the tightest, and one input alone does not decide."""
    profiles = [
        Profile(table=((1, 4), (2, 8), (32, 64)), list=((2,), (2,), (100,))),
        Profile(table=((1, 4), (2, 8), (32, 64)), list=((1,), (2,), (4,))),
        Profile(table=((1, 4), (2, 8), (8, 16)), list=((1,), (2,), (4,))),
    ]
    return _engine(_TWO_INPUTS, profiles)


_CHOICES = [((2, 8), (3,), 2), ((2, 8), (50,), 0), ((20, 8), (3,), 1), ((40, 8), (3,), -1), ((2, 2), (3,), -1)]


def check_choose_profile(choose_profile: Callable) -> None:
    """Lesson 2, exercise 1: the tightest profile that accepts all inputs, compared with choices made by hand."""
    engine = _two_inputs()
    for table, count, expected in _CHOICES:
        shapes = {"table": table, "list": count}
        try:
            got = choose_profile(engine, shapes)
        except Exception as error:
            return _not_yet(f"For {shapes} your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        if isinstance(got, bool) or not isinstance(got, int):
            return _not_yet(f"For {shapes}: expected an index, got {type(got).__name__}.")
        if got != expected:
            why = _why_profile(engine, shapes, got, expected)
            return _not_yet(f"For {shapes}: expected {expected}, got {got}. {why}")
    return _right("You know which profile to switch to, and when there is none.")


def _why_profile(engine: trt.ICudaEngine, shapes: dict[str, tuple[int, ...]], got: int, expected: int) -> str:
    """What is wrong with a choice: it does not exist, it does not fit, or another one is tighter."""
    if got == -1:
        return f"Profile {expected} accepts them all."
    if not 0 <= got < engine.num_optimization_profiles:
        return f"The engine has {engine.num_optimization_profiles} profiles, numbered from 0."
    for name, shape in shapes.items():
        low, _, high = (tuple(three) for three in engine.get_tensor_profile_shape(name, got))
        if not all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True)):
            return f"Profile {got} accepts {low} to {high} for '{name}', not {shape}."
    return f"Profile {got} fits, but profile {expected} has fewer elements at max."


# The order is neither alphabetical nor that of the dictionary, and two swapped inputs change the result.
_SUBTRACT = """
    <ir_version: 10, opset_import: ["": 20]>
    subtract (float[n] minuend, float[n] amount) => (float[n] rest, float[n] opposite) {
        rest = Sub(minuend, amount)
        opposite = Neg(rest)
    }
"""


@cache
def _subtract() -> trt.ICudaEngine:
    return _engine(_SUBTRACT, [Profile.same(("minuend", "amount"), (4,), (4,), (8,))])


def check_addresses(addresses: Callable) -> None:
    """Lesson 2, exercise 2: addresses in the engine's order, compared with the order of the ONNX text; then run."""
    engine = _subtract()
    context = engine.create_execution_context()
    values = {"rest": 0.0, "amount": 2.0, "opposite": 0.0, "minuend": 5.0}
    tensors = {name: torch.full((4,), value).to(device) for name, value in values.items()}
    try:
        got = addresses(engine, tensors)
    except Exception as error:
        return _not_yet(f"Your function raised {type(error).__name__}: {error}")
    if _untouched(got):
        return None
    problem = _wrong_place(got, tensors, ["minuend", "amount", "rest", "opposite"])
    if problem:
        return _not_yet(problem)
    set_input_shapes(context, {"minuend": (4,), "amount": (4,)})
    if not context.execute_v2(got) or tensors["rest"].tolist() != [3.0] * 4:
        return _not_yet(f"'rest' should be 3.0 four times, it is {tensors['rest'].tolist()}.")
    return _right("5 - 2 is 3, whatever the order of the dictionary.")


def _wrong_place(got: object, tensors: dict[str, torch.Tensor], order: list[str]) -> str:
    """The first place in a list of addresses that holds the wrong one; empty if none does."""
    if not isinstance(got, list | tuple):
        return f"Expected a list of addresses, got {type(got).__name__}."
    owners = {tensor.data_ptr(): name for name, tensor in tensors.items()}
    for place, value in enumerate(got):
        if not isinstance(value, int):
            return f"Place {place} holds {type(value).__name__}; an address is an integer, tensor.data_ptr()."
    found = [owners.get(value, "an unknown address") for value in got]
    if len(found) != len(order):
        return f"Expected {len(order)} addresses, one for each I/O tensor, got {len(found)}: {', '.join(found)}."
    for place, (have, want) in enumerate(zip(found, order, strict=True)):
        if have != want:
            return f"Place {place}: expected the address of '{want}', got '{have}'. The engine decides the order."
    return ""


def check_binding_index(binding_index: Callable) -> None:
    """Lesson 2, exercise 3: the index of a TensorRT 8 name, compared with a table counted up by hand."""
    tensors, table = ["ids", "mask", "types", "logits"], {}
    for profile in range(12):
        for name in tensors:
            table[name if profile == 0 else f"{name} [profile {profile}]"] = len(table)
    table |= {"words": -1, "words [profile 2]": -1}
    for name, expected in table.items():
        try:
            got = binding_index(list(tensors), name)
        except Exception as error:
            return _not_yet(f"For {name!r} your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        if got != expected:
            why = "There is no such tensor." if expected == -1 else f"Each profile has {len(tensors)} indices."
            return _not_yet(f"For {name!r} among {tensors}: expected {expected}, got {got!r}. {why}")
    return _right("You can read indices that TensorRT no longer writes.")


# ---- lesson 3 ----------------------------------------------------------------------------------------------

# Outputs of 2, 1 and 8 bytes an element, one of them larger than the input.
_THREE_DTYPES = """
    <ir_version: 10, opset_import: ["": 20]>
    three (float[rows, columns] x) => (float16[rows, columns] half, bool[rows, columns] big, int64[rows, twice] pair)
    <float zero = {0.0}> {
        half = Cast <to = 10> (x)
        big = Greater(x, zero)
        doubled = Concat <axis = 1> (x, x)
        pair = Cast <to = 7> (doubled)
    }
"""
_WORST = [{"half": 1024, "big": 512, "pair": 8192}, {"half": 5120, "big": 2560, "pair": 40960}]


@cache
def _three_dtypes() -> trt.ICudaEngine:
    return _engine(_THREE_DTYPES, [Profile(x=((1, 4), (2, 8), (8, 64))), Profile(x=((1, 4), (2, 8), (40, 64)))])


def check_worst_bytes(worst_bytes: Callable) -> None:
    """Lesson 3, exercise 1: the bytes of each output at a profile's maximum, compared with figures of ours."""
    engine = _three_dtypes()
    for profile, expected in enumerate(_WORST):
        try:
            got = worst_bytes(engine, profile)
        except Exception as error:
            return _not_yet(f"For profile {profile} your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        if not isinstance(got, dict) or set(got) != set(expected):
            names = ", ".join(expected)
            return _not_yet(f"Expected a dictionary with the outputs {names}, got {got!r}.")
        for name, size in expected.items():
            if got[name] != size:
                why = _why_bytes(engine, name, got[name], size)
                return _not_yet(f"'{name}' in profile {profile}: expected {size:,} bytes, got {got[name]!r}. {why}")
    return _right("You know the worst before it comes.")


def _why_bytes(engine: trt.ICudaEngine, name: str, got: object, expected: int) -> str:
    dtype = engine.get_tensor_dtype(name)
    if isinstance(got, int) and got < 0:
        return "The engine's shape has -1 in it: set the inputs, then ask the context."
    if isinstance(got, int) and got * dtype.itemsize in (expected, expected * 4):
        return f"An element of {dtype.name} has {int(dtype.itemsize)} byte(s)."
    return "Is the context on that profile, and each input at its max?"


_SAME_ROWS = """
    <ir_version: 10, opset_import: ["": 20]>
    same (float[rows, 2] left, float[rows, 5] right) => (float[rows, 7] both) { both = Concat <axis = 1> (left, right) }
"""
_VERDICTS = [
    ({"left": (3, 2), "right": (3, 5)}, "ok"),
    ({"left": (3, 2)}, "missing"),
    ({"left": (3, 2), "right": (4, 5)}, "disagree"),
    ({"left": (601, 2), "right": (3, 5)}, "refused"),
    ({"left": (3, 2), "right": (3, 4)}, "refused"),
    ({"left": (3, 2), "right": (5,)}, "refused"),
    ({"left": (3, 2), "wrong": (3, 5)}, "refused"),
]


@cache
def _same_rows() -> trt.ICudaEngine:
    return _engine(_SAME_ROWS, [Profile(left=((1, 2), (2, 2), (600, 2)), right=((1, 5), (2, 5), (600, 5)))])


def check_verdict(verdict: Callable) -> None:
    """Lesson 3, exercise 2: refused, missing, disagree or ok, compared with verdicts written down by hand.

    A shape to be refused meets a context that has just taken a good one: whoever does not look finds nothing wrong.
    """
    engine = _same_rows()
    for shapes, expected in _VERDICTS:
        context = engine.create_execution_context()
        if expected == "refused":
            set_input_shapes(context, {"left": (3, 2), "right": (3, 5)})
        try:
            with logger.quietly():
                got = verdict(context, dict(shapes))
        except Exception as error:
            return _not_yet(f"For {shapes} your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        if got != expected:
            return _not_yet(f"For {shapes}: expected {expected!r}, got {got!r}. {_WHY_VERDICT[expected]}")
    return _right("Nothing slips past you.")


_WHY_VERDICT = {
    "ok": "1 to 600 rows are allowed, as many for both.",
    "missing": "An input has no shape yet: look at what infer_shapes returns.",
    "disagree": "Each is allowed, but the rows differ: infer_shapes raises.",
    "refused": "set_input_shape returned False, and the old shape is still there.",
}


def check_keeping(keeping: type) -> None:
    """Lesson 3, exercise 3: an output allocator that reuses its memory.

    It is asked as TensorRT asks, first by hand: nothing runs before its memory is known to be large enough.
    """
    if not isinstance(keeping, type):
        return _not_yet(f"Expected the class Keeping, got {type(keeping).__name__}.")
    if "reallocate_output_async" not in vars(keeping):
        return print("Not solved yet: write reallocate_output_async and notify_shape. There is no hurry.")
    try:
        allocator = keeping()
        problem = _wrong_memory(allocator) or _wrong_delivery(allocator)
    except Exception as error:
        return _not_yet(f"With your allocator, {type(error).__name__}: {error}")
    return _not_yet(problem) if problem else _right("Memory for the largest request, taken once.")


def _wrong_memory(allocator: trt.IOutputAllocator) -> str:
    """What is wrong with the memory that an allocator gives, asked for growing and shrinking sizes."""
    addresses = []
    for size in (1024, 512, 4096, 4096, 1024):
        address = allocator.reallocate_output_async("both", addresses[-1] if addresses else 0, size, 256, 0)
        memory = getattr(allocator, "memory", None)
        if not isinstance(memory, torch.Tensor):
            return f"After {size} bytes were asked for, self.memory is {type(memory).__name__}, not a tensor."
        if not isinstance(address, int):
            return f"reallocate_output_async returned {type(address).__name__}; expected an address, memory.data_ptr()."
        if not memory.data_ptr() <= address <= memory.data_ptr() + memory.nbytes - size:
            return (
                f"{size} bytes were asked for; self.memory has {memory.nbytes} bytes, and they are not all behind the "
                "address that you returned. TensorRT would write past its end."
            )
        addresses.append(address)
    if addresses[0] != addresses[1] or len(set(addresses[2:])) != 1:
        return "New memory was taken although the old was large enough: compare self.memory.nbytes with size."
    return ""


def _wrong_delivery(allocator: trt.IOutputAllocator) -> str:
    """What is wrong when TensorRT itself uses the allocator, for a large output and then for a small one."""
    context, stream = _same_rows().create_execution_context(), Stream()
    context.set_output_allocator("both", allocator)
    for rows in (600, 3):
        inputs = {"left": torch.ones(rows, 2).to(device), "right": torch.full((rows, 5), 2.0).to(device)}
        set_input_shapes(context, inputs)
        bind(context, inputs)
        if not context.execute_async_v3(stream.handle):
            return f"The execution for {rows} rows was refused. {logger.last_error}"
        stream.synchronize()
        shape = getattr(allocator, "shape", None)
        if shape is None or tuple(shape) != (rows, 7):
            return f"'both' has shape ({rows}, 7), your allocator's shape is {shape}. What does notify_shape keep?"
        first = allocator.memory.view(torch.float32)[:7].tolist()
        if first != [1, 1, 2, 2, 2, 2, 2]:
            return f"'both' should begin with 1, 1, 2, 2, 2, 2, 2, it is {first}."
    return ""


# ---- lesson 5 ----------------------------------------------------------------------------------------------


def check_logits_bytes(logits_bytes: Callable[[int, int], int], context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 1: the bytes of ``logits``, compared with what the context itself says."""
    for batch, sequence in [(1, 4), (3, 24), (8, 128)]:
        try:
            got = logits_bytes(batch, sequence)
        except Exception as error:
            return _not_yet(f"For ({batch}, {sequence}) your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        set_input_shapes(context, dict.fromkeys(input_names(context.engine), (batch, sequence)))
        elements = math.prod(tuple(context.get_tensor_shape("logits")))
        if got == elements:
            return _not_yet(f"logits: {got:,} is the number of elements; each has four bytes.")
        if got != 4 * elements:
            shape = tuple(context.get_tensor_shape("logits"))
            shown = f"{got:,}" if isinstance(got, int) else repr(got)
            return _not_yet(f"logits: for shape {shape} expected {4 * elements:,} bytes, got {shown}.")
    return _right("You know what to allocate before you ask.")


def check_complete(complete: Callable, lm: MaskedLM, context: trt.IExecutionContext) -> None:
    """Lesson 5, exercise 2: every mask filled with its best word, compared with PyTorch."""
    sentences = ["Paris is the [MASK] of France.", "She opened the [MASK] and went [MASK].", "No mask at all."]
    for sentence in sentences:
        try:
            got = complete(context, sentence)
        except Exception as error:
            return _not_yet(f"For {sentence!r} your function raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        expected = _completed_by_pytorch(lm, sentence)
        if not isinstance(got, str):
            return _not_yet(f"Expected the sentence as text, got {type(got).__name__}.")
        if "[MASK]" in got:
            return _not_yet(f"{got!r} still has a [MASK]: a sentence may have several.")
        if got != expected:
            return _not_yet(
                f"For {sentence!r} PyTorch says {expected!r}, you say {got!r}. "
                "Is it the mask's position, and each mask's own word?"
            )
    return _right("Every mask has its word, also two in one sentence.")


def _completed_by_pytorch(lm: MaskedLM, sentence: str) -> str:
    encoded = lm.tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        best = lm.model(**encoded).logits[0].argmax(dim=-1)
    for position in (encoded["input_ids"][0] == lm.tokenizer.mask_token_id).nonzero().flatten():
        sentence = sentence.replace("[MASK]", lm.tokenizer.convert_ids_to_tokens(best[position].item()), 1)
    return sentence


# ---- lesson 6 ----------------------------------------------------------------------------------------------

_PORT = """
    <ir_version: 10, opset_import: ["": 20]>
    port (float[rows, columns] left, float[rows, columns] right)
        => (float[rows, columns] difference, int32[columns, rows] counted) {
        difference = Sub(left, right)
        turned = Transpose <perm = [1, 0]> (left)
        counted = Cast <to = 6> (turned)
    }
"""
_THREE_TYPES = """
    <ir_version: 10, opset_import: ["": 20]>
    three (int64[n] ids, int32[n] types, float16[n] weights) => (int64[n] a, int32[n] b, float16[n] c) {
        a = Add(ids, ids)
        b = Add(types, types)
        c = Add(weights, weights)
    }
"""
_PORT_PROFILES = [
    Profile.same(("left", "right"), (1, 2), (2, 8), (4, 8)),
    Profile.same(("left", "right"), (8, 2), (8, 8), (32, 8)),
]


def check_as_wanted(as_wanted: Callable[[trt.ICudaEngine, dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Lesson 6, exercise 1: every tensor has the type of its input, and its values."""
    names = ("ids", "types", "weights")
    engine = _engine(_THREE_TYPES, [Profile.same(names, (1,), (4,), (8,))])
    wanted = {"ids": torch.int64, "types": torch.int32, "weights": torch.float16}
    given = {"weights": torch.tensor([0.5, 1.5]), "ids": torch.tensor([7, 8]).int(), "types": torch.tensor([0, 1])}
    given = {name: tensor.to(device) for name, tensor in given.items()}
    try:
        got = as_wanted(engine, dict(given))
    except Exception as error:
        return _not_yet(f"Your function raised {type(error).__name__}: {error}")
    if _untouched(got):
        return None
    if not isinstance(got, dict) or set(got) != set(names):
        kind = f"the keys {', '.join(map(str, got))}" if isinstance(got, dict) else type(got).__name__
        return _not_yet(f"Expected a dictionary with the keys {', '.join(names)}, got {kind}.")
    for name, dtype in wanted.items():
        if not isinstance(got[name], torch.Tensor):
            return _not_yet(f"'{name}' should be a tensor, it is {type(got[name]).__name__}.")
        if got[name].dtype != dtype:
            return _not_yet(f"'{name}' is {got[name].dtype}, the engine wants {dtype}: ask it for each name.")
        if not torch.equal(got[name].cpu(), given[name].to(dtype).cpu()):
            return _not_yet(
                f"'{name}' has the right type and other values than before: cast it, do not reinterpret it."
            )
    return _right("Three inputs, three types, and none of them from memory.")


def check_ported(ported: Callable) -> None:
    """Lesson 6, exercise 2: two inputs and two outputs by name, in the profile asked for, compared with PyTorch."""
    engine = _engine(_PORT, _PORT_PROFILES)
    for profile, shape in [(1, (10, 6)), (0, (2, 8)), (1, (32, 2))]:
        left, right = torch.arange(float(shape[0] * shape[1])).reshape(shape), torch.full(shape, 3.0)
        inputs = {"right": right.to(device), "left": left.to(device)}
        try:
            got = ported(engine, inputs, profile)
        except Exception as error:
            return _not_yet(f"In profile {profile}, shape {shape}, yours raised {type(error).__name__}: {error}")
        if _untouched(got):
            return None
        expected = {"difference": left - right, "counted": left.T.to(torch.int32)}
        if not isinstance(got, dict) or set(got) != set(expected):
            kind = f"the keys {', '.join(map(str, got))}" if isinstance(got, dict) else type(got).__name__
            return _not_yet(f"Expected a dictionary with the outputs {', '.join(expected)}, got {kind}.")
        for name, tensor in expected.items():
            if problem := _difference(name, got[name], tensor.to(device)):
                return _not_yet(f"In profile {profile}, shape {shape}: {problem}")
    return _right("Both profiles, both outputs, and no number in it.")
