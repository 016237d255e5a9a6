"""The answers that lessons give to their questions, asked of the running engine with small models.

Each function below answers one question: it makes the situation and says of every option whether it came true. "An
exception" is a plain False where an exception would have ended the test.
"""

import pickle
import warnings

import onnx.parser
import pytest
import torch

import trt_helpers as th
from tools.notebooks import ROOT, lessons
from tools.questions import questions_of_lesson
from trt_helpers import TensorRTError, legacy, trt
from trt_helpers.files import written_whole

from .conftest import parse

ASKED = [question for path in lessons(ROOT) for question in questions_of_lesson(path)]
QUESTIONS = {question.id: question for question in ASKED}
ANSWERS = {}
TWICE = "twice (float[rows, columns] x) => (float[rows, columns] y) { y = Add(x, x) }"
WEIGH = "weigh (float[rows, 3] x, float[rows, 3] w) => (float[rows, 3] y) { y = Mul(x, w) }"
SHORT, LONG = ((1, 4), (1, 16), (1, 32)), ((1, 16), (8, 64), (32, 128))


def question(name):
    """Register a function as the answer to the question of this id."""

    def register(function):
        ANSWERS[name] = function
        return function

    return register


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_engine_gives_the_lessons_answer(name, request):
    answer = ANSWERS[name]
    fixtures = [request.getfixturevalue(need) for need in answer.__code__.co_varnames[: answer.__code__.co_argcount]]
    came_true = dict(zip("ABCDE", answer(*fixtures), strict=False))
    assert came_true == {letter: letter in QUESTIONS[name].right for letter in QUESTIONS[name].options}


def test_every_question_is_asked_of_the_engine_and_no_other():
    assert set(ANSWERS) == set(QUESTIONS)


def test_no_two_questions_share_an_id():
    assert len(QUESTIONS) == len(ASKED)


def raises(call, *arguments):
    try:
        call(*arguments)
    except Exception:
        return True
    return False


@pytest.fixture
def twice():
    return th.load_engine(th.build_plan(parse(TWICE), th.Profile(x=((1, 1), (2, 4), (8, 16)))))


@pytest.fixture(scope="module")
def two_profiles():
    return th.load_engine(th.build_plan(parse(TWICE), [th.Profile(x=SHORT), th.Profile(x=LONG)]))


@pytest.fixture
def weigher():
    profile = th.Profile.same(("x", "w"), (0, 3), (2, 3), (8, 3))
    context = th.load_engine(th.build_plan(parse(WEIGH), profile)).create_execution_context()
    th.set_input_shapes(context, {"x": (2, 3), "w": (2, 3)})
    return context


# ---- lesson 1 --------------------------------------------------------------------------------------------------


@question("no-profile")
def _():
    builder = trt.Builder(th.logger)
    network = builder.create_network()
    assert trt.OnnxParser(network, th.logger).parse(parse(TWICE))
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    return False, plan is None, plan is not None


@question("only-the-context")
def _(twice):
    x, y, stream = torch.tensor([[1.0, 2.0]]).to(th.device), torch.zeros(1, 2).to(th.device), th.Stream()
    context = th.load_engine(twice.serialize()).create_execution_context()  # nobody else holds this engine
    th.set_input_shapes(context, {"x": x})
    th.bind(context, {"x": x, "y": y})
    accepted = context.execute_async_v3(stream.handle)
    stream.synchronize()
    return not accepted, y.tolist() == [[0.0, 0.0]], y.tolist() == [[2.0, 4.0]]


@question("nothing-set")
def _(twice):
    first, second, stream = twice.create_execution_context(), twice.create_execution_context(), th.Stream()
    th.set_input_shapes(first, {"x": (2, 4)})
    accepted = second.execute_async_v3(stream.handle)
    return False, not accepted, accepted


# ---- lesson 2 --------------------------------------------------------------------------------------------------


@question("wrong-name")
def _(twice):
    found = twice.get_tensor_dtype("xx")
    return False, found is None, found == trt.float32


@question("other-profile")
def _(two_profiles):
    context = two_profiles.create_execution_context()
    accepted = context.set_input_shape("x", (8, 64))
    return (
        context.active_optimization_profile == 1,
        not accepted,
        tuple(context.get_tensor_shape("x"))[0] == 1 and accepted,
    )


@question("after-the-switch")
def _(two_profiles):
    context, stream = two_profiles.create_execution_context(), th.Stream()
    assert context.set_input_shape("x", (1, 24)) and context.set_optimization_profile_async(1, stream.handle)
    shape = tuple(context.get_tensor_shape("x"))
    return shape == (1, 24), shape == (1, -1), shape == (-1, -1)


# ---- lesson 3 --------------------------------------------------------------------------------------------------


@question("nine-rows")
def _(weigher):
    accepted = weigher.set_input_shape("x", (9, 3))
    return False, accepted is False, accepted and tuple(weigher.get_tensor_shape("x")) == (8, 3)


@question("stale-shape")
def _(weigher):
    refused = [("x", (9, 3)), ("x", (2, 4)), ("x", (3,)), ("x", (-1, 3)), ("y", (2, 3))]
    assert [weigher.set_input_shape(name, shape) for name, shape in refused] == [False] * 5
    shape = tuple(weigher.get_tensor_shape("x"))
    return shape == (-1, 3), shape == (8, 3), shape == (2, 3)


@question("rows-disagree")
def _(weigher):
    refused = not weigher.set_input_shape("w", (5, 3))
    no_shape = raises(tuple, weigher.get_tensor_shape("y"))  # invalid shapes have no length
    return refused, not no_shape, not refused and no_shape


# ---- lesson 4 --------------------------------------------------------------------------------------------------


@pytest.fixture
def doubling(twice):
    """A context of ``y = x + x`` that has run on its stream, its tensors, and another stream that has copied."""
    context, stream, copying = twice.create_execution_context(), th.Stream(), th.Stream()
    x, y = torch.ones(1, 4, device=th.device), torch.zeros(1, 4, device=th.device)
    th.infer(context, {"x": x}, {"y": y}, stream)
    fresh = th.pinned_empty((1, 4)).fill_(1)
    th.copy_async(x, fresh, copying)
    copying.synchronize()
    return context, stream, copying, x, y, fresh


@question("read-too-early")
def _(doubling):
    context, stream, _, _, y, _ = doubling
    y.fill_(-1)
    with th.Gate() as gate:
        gate.hold(stream)
        assert context.execute_async_v3(stream.handle)
        early = y.tolist()
    stream.synchronize()
    return early == [[2.0] * 4], early == [[-1.0] * 4], False


@question("overwrite-too-early")
def _(doubling):
    context, stream, copying, x, y, fresh = doubling
    fresh.fill_(100)
    with th.Gate() as gate:
        gate.hold(stream)
        assert context.execute_async_v3(stream.handle)
        th.copy_async(x, fresh, copying)
        copying.synchronize()
    stream.synchronize()
    return y.tolist() == [[2.0] * 4], y.tolist() == [[200.0] * 4]


@question("one-stream")
def _(two_profiles):
    contexts, stream, timeline = [two_profiles.create_execution_context() for _ in range(2)], th.Stream(), th.Timeline()
    x, y = torch.ones(1, 4, device=th.device), torch.zeros(1, 4, device=th.device)
    for row, context in enumerate(contexts):
        th.infer(context, {"x": x}, {"y": y}, stream)
        with timeline.span(stream, f"context {row}", "execute"):
            assert context.execute_async_v3(stream.handle)
    together = th.overlap_ms(timeline.spans())
    return together == 0, together > 0


@question("bad-request")
def _(two_profiles):
    requests = [{"x": torch.full((1, 16), float(number))} for number in (1, 2, 3, 4)]
    requests[2] = {"x": torch.ones(1, 200)}
    with th.Pipeline(two_profiles) as pipeline:
        results = list(pipeline.map(requests, return_exceptions=True))
    right = [r["y"][0, 0].item() if isinstance(r, dict) else type(r) for r in results]
    return False, right == [2.0, 4.0, TensorRTError, 8.0], len(right) == 3


# ---- lesson 5 --------------------------------------------------------------------------------------------------

# What BERT does with its mask: padding gets a score so low that its weight is zero.
ATTEND = """attend (float[batch, sequence] x, float[batch, sequence] mask) => (float[batch, sequence] y)
    <int64[1] one = {1}, int64[1] two = {2}, float full = {1.}, float low = {-1000.}> {
    column = Unsqueeze(x, two)  row = Unsqueeze(x, one)  alike = Mul(column, row)
    hidden = Sub(full, mask)  penalty = Mul(hidden, low)  along = Unsqueeze(penalty, one)
    scores = Add(alike, along)  weights = Softmax <axis = -1> (scores)
    mixed = MatMul(weights, column)  y = Squeeze(mixed, two) }"""
LENGTHS = (4, 6, 9)


@pytest.fixture(scope="module")
def attention():
    profile = th.Profile.same(("x", "mask"), (1, 4), (3, 9), (8, 128))
    return th.load_engine(th.build_plan(parse(ATTEND), profile))


def attended(engine, length, masked=True):
    """What three sentences of 4, 6 and 9 tokens become, padded to `length` and cut back to their tokens."""
    x, mask = torch.full((3, length), 0.5), torch.ones(3, length)
    for row, tokens in enumerate(LENGTHS):
        x[row, :tokens] = torch.linspace(-1.0, 2.0, tokens)
        mask[row, tokens:] = 0.0 if masked else 1.0
    inputs = {"x": x.to(th.device), "mask": mask.to(th.device)}
    y = th.infer(engine.create_execution_context(), inputs)["y"]
    return [y[row, :tokens] for row, tokens in enumerate(LENGTHS)]


def unchanged(before, after):
    return [torch.allclose(a, b, atol=1e-4) for a, b in zip(before, after, strict=True)]


@question("less-padding")
def _(attention):
    same = unchanged(attended(attention, 128), attended(attention, 9))
    return all(same), same == [False, False, True], not any(same)


@question("glued-ids")
def _():
    # Two ids that the engine could look up, if it read one at a time.
    ids = torch.tensor([3, 5, 7, 11], dtype=torch.int32)
    read = ids.view(torch.int64).tolist()
    return read == [3, 5, 7, 11][:2], read == [3 + (5 << 32), 7 + (11 << 32)], read == [3, 0]


@question("forgotten-mask")
def _(attention):
    same = unchanged(attended(attention, 9), attended(attention, 9, masked=False))
    return all(same), same == [False, False, True], not any(same)


# ---- lesson 6 --------------------------------------------------------------------------------------------------


@pytest.fixture
def old_view():
    """Three inputs, one output, two profiles, as the lesson's engine has."""
    model = parse(
        "old (float[n] a, float[n] b, float[n] c) => (float[n] y) { d = Add(a, b) y = Add(c, d) }",
    )
    profiles = [th.Profile.same("abc", (8,), (8,), (8,)), th.Profile.same("abc", (1,), (2,), (4,))]
    return legacy.view(th.load_engine(th.build_plan(model, profiles)))


@question("how-many-bindings")
def _(old_view):
    return old_view.num_bindings == 4, old_view.num_bindings == 7, old_view.num_bindings == 8


@question("number-0")
def _(old_view):
    context = old_view.create_execution_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.active_optimization_profile = 1
        accepted = context.set_binding_shape(0, (2,))
        assert context.set_binding_shape(4, (2,))
    return accepted, not accepted, False


@question("fp16-asked")
def _(tmp_path):
    path = tmp_path / "twice.onnx"
    path.write_bytes(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 20]> {TWICE}').SerializeToString())
    shapes = {"min_shape": (1, 4), "optimal_shape": (2, 4), "max_shape": (8, 4)}
    runtime = legacy.trt.Runtime(th.logger)
    assert legacy.build_engine(runtime, path, th.logger, **shapes, workspace_size=1 << 30) is not None
    try:
        engine = legacy.build_engine(runtime, path, th.logger, **shapes, workspace_size=1 << 30, fp16=True)
    except TensorRTError:
        return False, False, True
    wide = engine.get_tensor_dtype("x") == trt.float32
    return not wide, wide, False


# ---- lesson 7 --------------------------------------------------------------------------------------------------


@question("when-to-stop-the-clock")
def _(doubling):
    """Held, the work has certainly not begun when the call returns; so its time cannot be in that."""
    context, stream, *_ = doubling
    with th.Gate() as gate:
        gate.hold(stream)
        assert context.execute_async_v3(stream.handle)
        done_when_returned = stream.query()
    stream.synchronize()
    return done_when_returned, not done_when_returned, done_when_returned


@question("batching-alone")
def _(tiny_bert):
    """Counted, since times differ: padded to the same length, one batch has as many tokens as its texts one by one."""
    texts = ["paris is the [MASK]", "a b c"]
    alone = sum(len(tiny_bert.lm.tokenizer(t, padding="max_length", max_length=16)["input_ids"]) for t in texts)
    together = th.tokenize(tiny_bert.lm, texts, padding="max_length", max_length=16)["input_ids"].numel()
    return alone > together, alone == together


@question("half-of-the-work")
def _():
    """Counted for the course's model: 16 texts of 7 to 55 tokens, one of them asked about in each."""
    layers, vocabulary, tokens, asked = 6 * 12 * 384**2, 384 * 30522, 16 * 31, 16
    gain = (layers + vocabulary) * tokens / (layers * tokens + vocabulary * asked)
    return 1.8 < gain < 2.2, gain > 10


# ---- lesson 8 --------------------------------------------------------------------------------------------------


@question("first-answer")
def _(tiny_bert_folder):
    decoder, read = th.MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64, in_flight=1), []

    def endless():
        while True:
            read.append("paris is the [MASK]")
            yield read[-1]

    next(decoder.stream(endless(), window=60))
    return len(read) == 1, len(read) == 60, len(read) > 60


@question("what-travels")
def _(twice, tmp_path):
    path = th.save_plan(twice.serialize(), tmp_path / "twice.plan")
    engine = not raises(pickle.dumps, twice)
    plan = pickle.loads(pickle.dumps(path)) == path
    return engine, plan and not engine, engine and plan


@question("written-twice")
def _(tmp_path):
    """As ``parts.write_part`` writes: whole, under a name that says which rows."""
    for _ in range(2):
        with written_whole(tmp_path / "part-00000-000000000001") as file:
            file.write_text("row 1\nrow 2\n")
    rows = [row for file in tmp_path.iterdir() for row in file.read_text().splitlines()]
    return rows == [], rows == ["row 1", "row 2"], len(rows) == 4


@question("honest-rate")
def _():
    start_up_s, rows_per_s = 30, 2_000 / 10
    seconds = start_up_s + 20_000 / rows_per_s
    return seconds == 400, seconds == 130, seconds == 40
