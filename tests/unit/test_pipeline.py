"""``Pipeline``: many in flight, results in order, each request its own error, nothing lost."""

import threading
import time

import pytest
import torch

import trt_helpers as th
from tests.contract import support as contract

on_cpu_only = pytest.mark.skipif(th.device.type != "cpu", reason="an index out of range is undefined on a GPU")
GOOD, FAILS, REFUSED, WRONG_TYPE, NO_REQUEST = "good", "fails", "refused", "wrong type", "no request"


@pytest.fixture(scope="module")
def engine():
    """y = table[ids], twice the same profile: one for each context."""
    import onnx.parser

    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 17]> '
        "lookup (int64[n] ids) => (float[n] y) <float[4] table = {0., 10., 20., 30.}> { y = Gather(table, ids) }"
    )
    return th.load_engine(th.build_plan(model.SerializeToString(), [th.Profile(ids=((1,), (4,), (8,)))] * 2))


def request(number: int, kind: str = GOOD) -> object:
    ids = (torch.arange(1 + number % 7) + number) % 4
    return {
        GOOD: {"ids": ids},
        FAILS: {"ids": ids + 99},
        REFUSED: {"ids": torch.zeros(9, dtype=torch.int64)},
        WRONG_TYPE: {"ids": ids.float()},
        NO_REQUEST: None,
    }[kind]


def right(number: int) -> list[float]:
    return [10.0 * ((i + number) % 4) for i in range(1 + number % 7)]


def assert_answers(kinds: list[str], results: list) -> None:
    assert len(results) == len(kinds)
    words = {
        FAILS: "The enqueued work failed",
        REFUSED: "ids: (9,) is outside the pipeline's profile",
        WRONG_TYPE: "ids: the tensor is torch.float32",
        NO_REQUEST: "'NoneType' object has no attribute 'items'",
    }
    for number, (kind, result) in enumerate(zip(kinds, results, strict=True)):
        if kind == GOOD:
            assert result["y"].tolist() == right(number), (number, result)
        else:
            assert isinstance(result, Exception) and words[kind] in str(result), (number, kind, result)


def test_results_are_right_and_in_order(engine):
    with th.Pipeline(engine) as pipeline:
        results = list(pipeline.map(request(number) for number in range(50)))
    assert_answers([GOOD] * 50, results)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("profiles", [[0], [1], [0, 1], [0, 1, 0]])
def test_any_number_of_contexts_and_requests(engine, profiles, depth):
    with th.Pipeline(engine, profiles, depth) as pipeline:
        assert_answers([GOOD] * 20, list(pipeline.map(request(number) for number in range(20))))


def test_a_request_that_is_refused_does_not_disturb_the_others(engine):
    kinds = [GOOD, REFUSED, GOOD, WRONG_TYPE, NO_REQUEST, GOOD, GOOD, REFUSED] * 3
    with th.Pipeline(engine) as pipeline, th.logger.quietly():
        requests = (request(number, kind) for number, kind in enumerate(kinds))
        assert_answers(kinds, list(pipeline.map(requests, return_exceptions=True)))


@on_cpu_only
def test_a_request_that_fails_while_it_runs_takes_nobody_with_it(engine):
    kinds = [FAILS, GOOD, GOOD, FAILS, FAILS, FAILS, GOOD, GOOD, GOOD, FAILS, REFUSED, GOOD] * 3
    with th.Pipeline(engine, depth=4) as pipeline, th.logger.quietly():
        requests = (request(number, kind) for number, kind in enumerate(kinds))
        assert_answers(kinds, list(pipeline.map(requests, return_exceptions=True)))


@on_cpu_only
def test_done_becomes_true_for_the_failed_and_for_those_behind_it(engine):
    with th.Pipeline(engine, [0], depth=3) as pipeline, th.logger.quietly():
        futures = [pipeline.submit(request(number, kind)) for number, kind in enumerate([FAILS, GOOD, FAILS])]
        waited, deadline = threading.Event(), time.monotonic() + 60
        while not all(future.done() for future in futures) and time.monotonic() < deadline:
            waited.wait(0.001)
        assert all(future.done() for future in futures)
        assert isinstance(futures[0]._request.error, th.TensorRTError) and isinstance(
            futures[2]._request.error, th.TensorRTError
        )
        assert futures[1].result()["y"].tolist() == right(1)


def test_without_return_exceptions_the_error_is_raised_in_its_turn(engine):
    with th.Pipeline(engine) as pipeline, th.logger.quietly():
        results = pipeline.map([request(0), request(1, REFUSED), request(2)])
        assert next(results)["y"].tolist() == right(0)
        with pytest.raises(th.TensorRTError, match="outside the pipeline's profile"):
            next(results)


def test_no_more_requests_are_taken_than_fit(engine):
    """Whenever a request is asked for, there is room for it."""
    taken, given = [], []

    def requests():
        for number in range(50):
            assert len(taken) - len(given) < 4
            taken.append(number)
            yield request(number)

    with th.Pipeline(engine, depth=2) as pipeline:
        for result in pipeline.map(requests()):
            given.append(result)
    assert len(given) == 50


def test_a_full_pipeline_makes_the_submitter_wait(engine):
    with th.Pipeline(engine, depth=2) as pipeline:
        list(pipeline.map([request(0)] * 4))  # nothing has to be loaded while the streams are held
        with th.Gate() as gate:
            for track in pipeline._tracks:
                gate.hold(track._stream)
            futures = [pipeline.submit(request(number)) for number in range(4)]
            fifth = threading.Thread(target=lambda: futures.append(pipeline.submit(request(4))))
            fifth.start()
            fifth.join(0.05)  # it cannot end before the gate opens, however long we wait
            assert fifth.is_alive() and len(futures) == 4
        fifth.join()
        assert [future.result()["y"].tolist() for future in futures] == [right(number) for number in range(5)]


def test_inputs_may_be_changed_at_once(engine):
    ids = torch.tensor([1, 2])
    with th.Pipeline(engine, [0]) as pipeline:
        list(pipeline.map([request(0)] * 2))  # nothing has to be loaded while the stream is held
        with th.Gate() as gate:
            gate.hold(pipeline._tracks[0]._stream)
            future = pipeline.submit({"ids": ids})
            ids.fill_(0)  # the work has certainly not read its input yet
        assert future.result()["y"].tolist() == [10, 20]


def test_results_stay_valid(engine):
    with th.Pipeline(engine) as pipeline:
        first = pipeline.submit(request(3)).result()["y"]
        list(pipeline.map(request(number) for number in range(40)))
    assert first.tolist() == right(3)
    assert first.device.type == "cpu"


def test_closing_drains(engine):
    pipeline = th.Pipeline(engine)
    futures = [pipeline.submit(request(number)) for number in range(4)]
    pipeline.close()
    pipeline.close()
    assert all(future.done() for future in futures)
    assert [future.result()["y"].tolist() for future in futures] == [right(number) for number in range(4)]
    with pytest.raises(th.TensorRTError, match=r"closed.*\n?.*with block"):
        pipeline.submit(request(0))


def test_a_block_that_raises_drains_too(engine):
    with pytest.raises(ZeroDivisionError), th.Pipeline(engine) as pipeline:
        future = pipeline.submit(request(5))
        1 / 0  # noqa: B018
    assert future.result()["y"].tolist() == right(5)


def test_what_the_source_of_requests_raises_is_passed_on(engine):
    def requests():
        yield request(0)
        raise OSError("no more data")

    with th.Pipeline(engine) as pipeline, pytest.raises(OSError, match="no more data"):
        list(pipeline.map(requests()))


@pytest.mark.parametrize("given", range(6))  # fewer than fit into the pipeline, as many, more
def test_what_was_given_before_the_source_raised_comes_first(engine, given):
    def requests():
        yield from (request(number) for number in range(given))
        raise OSError("no more data")

    results = []
    with th.Pipeline(engine) as pipeline, pytest.raises(OSError, match="no more data"):
        for result in pipeline.map(requests()):
            results.append(result)  # noqa: PERF402
    assert_answers([GOOD] * given, results)


def test_errors_of_requests_come_before_the_sources(engine):
    def requests():
        yield request(0)
        yield request(1, REFUSED)
        raise OSError("no more data")

    with th.Pipeline(engine) as pipeline, th.logger.quietly():
        results = pipeline.map(requests(), return_exceptions=True)
        assert_answers([GOOD, REFUSED], [next(results), next(results)])
        with pytest.raises(OSError, match="no more data"):
            next(results)


def test_a_context_is_no_engine(engine):
    with pytest.raises(TypeError, match=r"takes an engine .* this is a context: context.engine"):
        th.Pipeline(engine.create_execution_context())


def test_a_shape_that_one_profile_refuses_names_it_and_says_why_it_was_asked():
    import onnx.parser

    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 17]> double (float[n] x) => (float[n] y) { y = Add(x, x) }'
    )
    profiles = [th.Profile(x=((1,), (4,), (high,))) for high in (8, 4)]
    engine = th.load_engine(th.build_plan(model.SerializeToString(), profiles))
    with th.Pipeline(engine) as pipeline, th.logger.quietly():
        fits, error = pipeline.map([{"x": torch.ones(6)}] * 2, return_exceptions=True)
    assert fits["y"].tolist() == [2.0] * 6
    assert error.key == "pipeline_shape_out_of_range" and "condition: satisfyProfile" in error.log
    assert "x: (6,) is outside the pipeline's profile 1, which accepts (1,) to (4,). 6 is more than 4" in str(error)
    assert "every one of them must accept what you send" in str(error)


def test_many_threads_may_submit(engine):
    answers = {}

    def work(start: int) -> None:
        for number in range(start, start + 25):
            answers[number] = pipeline.submit(request(number)).result()["y"].tolist()

    with th.Pipeline(engine) as pipeline:
        threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: right(number) for start in (0, 100, 200, 300) for number in range(start, start + 25)}


@pytest.mark.parametrize(("profiles", "depth"), [([], 2), (None, 0)])
def test_a_pipeline_needs_room(engine, profiles, depth):
    with pytest.raises(ValueError, match="a context and a depth of at least 1"):
        th.Pipeline(engine, profiles, depth)


def test_a_timeline_has_three_spans_for_each_request(engine):
    timeline = th.Timeline()
    with th.Pipeline(engine, timeline=timeline) as pipeline:
        list(pipeline.map(request(number) for number in range(4)))
    spans = timeline.spans()
    assert [span.what for span in spans if span.row == "context 0"] == ["copy in", "execute", "copy out"] * 2
    assert {span.row for span in spans} == {"context 0", "context 1"}
    assert all(0 <= span.start_ms <= span.end_ms for span in spans)


def test_done_says_that_result_will_not_wait(engine):
    """A settled future answers at once, also while another thread waits for a later request on the same context."""
    with th.Pipeline(engine, [0]) as pipeline:
        first = pipeline.submit(request(1))
        first.result()
        with th.Gate() as gate:
            gate.hold(pipeline._tracks[0]._stream)
            later = pipeline.submit(request(2))
            waiting = threading.Thread(target=later.result)
            waiting.start()
            assert first.done() and first.result()["y"].tolist() == right(1)
        waiting.join()


def test_a_kept_error_keeps_nothing_else(engine):
    ids = torch.zeros(9, dtype=torch.int64)
    with th.Pipeline(engine) as pipeline, th.logger.quietly():
        future = pipeline.submit({"ids": ids})
        depths = []
        for _ in range(3):
            with pytest.raises(th.TensorRTError, match="outside the pipeline's profile") as caught:
                future.result()
            depths.append(len(caught.traceback))
        assert depths[0] == depths[1] == depths[2]
        assert future._request.error.__traceback__ is None and future._request.inputs == {}


def test_an_input_that_is_a_shape_stays_where_the_engine_reads_it():
    reshape = contract.engine(contract.RESHAPE, contract.RESHAPE_PROFILE, values=contract.RESHAPE_VALUES)
    with th.Pipeline(reshape) as pipeline:
        outputs = pipeline.submit({"x": torch.ones(3, 4), "s": torch.tensor([2, 6])}).result()
    assert outputs["y"].tolist() == [[1.0] * 6] * 2
