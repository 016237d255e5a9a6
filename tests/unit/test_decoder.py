import subprocess
import sys
from collections import deque
from itertools import islice

import numpy as np
import pytest
import torch

import trt_helpers as th
from trt_helpers.decoding import decoder as decoder_module
from trt_helpers.decoding import plans
from trt_helpers.decoding.decoder import MaskedWordDecoder
from trt_helpers.look_ahead import read_ahead

TOLERANCE = 1e-5 if th.device.type == "cpu" else 5e-3
GOOD = [
    "Paris is the [MASK] of France.",
    "the [MASK] word is [MASK] a language",
    "[MASK]",  # three tokens: shorter than any other
    "a, b, c, [MASK], e " * 3 + "[MASK] [MASK]",
    "[MASK] is a word.",
]


@pytest.fixture(scope="module", params=[1, 3], ids="{} in flight".format)
def decoder(tiny_bert_folder, request):
    """Batches of 64 tokens, so that a few sentences make several batches."""
    return MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64, in_flight=request.param)


def pytorchs(lm, sentence: str, k: int) -> list[list[tuple[str, float]]]:
    encoded = lm.tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        logits = lm.model(**encoded).logits[0]
    places = (encoded["input_ids"][0] == lm.tokenizer.mask_token_id).nonzero().flatten()
    tops = [logits[place].softmax(dim=-1).topk(k) for place in places]
    return [
        list(zip(lm.tokenizer.convert_ids_to_tokens(top.indices.tolist()), top.values.tolist(), strict=True))
        for top in tops
    ]


def words(results) -> list[list[list[str]]]:
    return [[[c.word for c in mask] for mask in result.candidates] for result in results]


def check(lm, results, sentences, k):
    assert [r.sentence for r in results] == sentences
    for result in results:
        expected = pytorchs(lm, result.sentence, k)
        assert [[c.word for c in mask] for mask in result.candidates] == [[word for word, _ in m] for m in expected]
        found = np.array([[c.probability for c in mask] for mask in result.candidates])
        np.testing.assert_allclose(found, np.array([[p for _, p in m] for m in expected]), atol=TOLERANCE)
        assert result.problem == ""


@pytest.mark.parametrize("k", [1, 5, 20])
def test_answers_are_pytorchs_in_the_order_of_the_sentences(decoder, tiny_bert, k):
    sentences = GOOD * 7
    check(tiny_bert.lm, decoder(sentences, top_k=k), sentences, k)


def test_one_sentence_may_be_passed_as_text(decoder, tiny_bert):
    check(tiny_bert.lm, decoder(GOOD[1], top_k=3), [GOOD[1]], 3)


def test_no_sentences_no_answers(decoder):
    assert decoder([]) == []
    assert list(decoder.stream([])) == []


def test_a_bad_sentence_has_its_reason_and_does_not_lose_the_others(decoder, tiny_bert):
    bad = ["No mask here.", "", None, 7, "word " * 80 + "[MASK].", "the [mask]"]
    mixed = [sentence for pair in zip(bad, GOOD + GOOD[:1], strict=True) for sentence in pair]
    results = decoder(mixed)
    check(tiny_bert.lm, results[1::2], GOOD + GOOD[:1], 5)
    problems = [r.problem for r in results[::2]]
    says = [
        "it has no [MASK]",
        "it is empty",
        "this is NoneType",
        "this is int",
        "has 84 tokens, at most 64",
        "no [MASK]",
    ]
    assert all(words in problem for words, problem in zip(says, problems, strict=True)), problems
    assert [r.candidates for r in results[::2]] == [[]] * 6
    assert [r.sentence for r in results] == mixed


def test_the_same_reasons_as_fill_in(decoder, tiny_bert):
    bad = ["No mask here.", "", "  ", None, "word " * 80 + "[MASK]."]
    context = tiny_bert.engine.create_execution_context()
    assert [r.problem for r in decoder(bad)] == [r.problem for r in th.fill_in(tiny_bert.lm, context, bad)]


def test_only_bad_sentences(decoder):
    assert [bool(r.problem) for r in decoder(["no", "none"])] == [True, True]
    assert [bool(r.problem) for r in decoder.stream(["no"] * 5, window=2)] == [True] * 5


def test_a_sentence_of_nothing_but_masks(decoder, tiny_bert):
    sentence = " ".join(["[MASK]"] * 62)
    (result,) = decoder(sentence, top_k=2)
    assert len(result.candidates) == 62
    check(tiny_bert.lm, decoder([sentence, GOOD[0], sentence], top_k=2), [sentence, GOOD[0], sentence], 2)


@pytest.mark.parametrize("k", [0, -1, 21])
def test_top_k_out_of_range_is_refused_before_anything_is_read(decoder, k):
    def unread():
        raise AssertionError("a sentence was read")
        yield

    with pytest.raises(ValueError, match="top_k is 1 to 20"):
        decoder(GOOD, top_k=k)
    with pytest.raises(ValueError, match=f"got {k}"):
        decoder.stream(unread(), top_k=k)


# ---- streaming ------------------------------------------------------------------------------------------------


def test_stream_reads_few_windows_ahead(decoder, tiny_bert):
    taken, most = [], 2 if decoder._in_flight == 1 else 4  # windows: one answered, one tokenised, those in flight

    def endless():
        while True:
            taken.append(GOOD[len(taken) % 5])
            yield taken[-1]

    results = decoder.stream(endless(), window=10)
    assert taken == [], "nothing is read before the first answer is asked for"
    ahead = []
    for count, _ in enumerate(islice(results, 35), start=1):
        ahead.append(len(taken) - count)
    assert max(ahead) < most * 10
    results.close()
    assert len(taken) <= 35 + most * 10


@pytest.mark.parametrize("window", [1, 3, 100])
def test_stream_keeps_the_order_for_every_window(decoder, tiny_bert, window):
    sentences = GOOD * 3
    check(tiny_bert.lm, list(decoder.stream(iter(sentences), window=window)), sentences, 5)


def test_two_streams_of_one_decoder_may_take_turns(decoder):
    alone = decoder(GOOD)
    first, second = decoder.stream(GOOD, window=2), decoder.stream(GOOD[::-1], window=2)
    pairs = list(zip(first, second, strict=True))
    assert words(a for a, _ in pairs) == words(alone)
    assert words(b for _, b in pairs) == words(alone)[::-1]


def test_stream_refuses_a_single_text_and_an_empty_window(decoder):
    with pytest.raises(TypeError, match="for one sentence call the decoder itself"):
        decoder.stream("Paris is the [MASK].")
    with pytest.raises(ValueError, match="at least 1; got 0"):
        decoder.stream(GOOD, window=0)


def test_an_error_of_the_iterator_reaches_the_caller_and_the_decoder_stays_usable(decoder):
    def broken():
        yield from GOOD
        raise OSError("disk gone")

    answered = []
    with pytest.raises(OSError, match="disk gone"):
        answered += decoder.stream(broken(), window=4)
    assert decoder(GOOD[0])[0].problem == ""


def test_what_was_read_before_an_error_of_the_iterator_is_answered(decoder):
    def broken():
        yield from GOOD * 4
        raise OSError("disk gone")

    answered = []
    with pytest.raises(OSError, match="disk gone"):
        for result in decoder.stream(broken(), window=5):
            answered.append(result.sentence)
    assert answered == GOOD * 4


def test_whoever_stops_half_way_leaves_memory_for_the_next(decoder, tiny_bert):
    idle = []
    for _ in range(3):
        results = decoder.stream(GOOD * 20, window=10)
        next(results)
        results.close()
        idle.append(len(decoder._idle))
    check(tiny_bert.lm, decoder(GOOD), GOOD, 5)
    assert idle[0] >= decoder._in_flight and idle[0] == idle[1] == idle[2]


def test_failed_work_is_raised_and_the_next_request_is_answered(decoder, tiny_bert, monkeypatch):
    encoded = decoder._encoded

    def beyond_the_vocabulary(chunk):
        problems, ids = encoded(chunk)
        return problems, [[*row[:-1], 10**6] for row in ids]

    if th.device.type == "cuda":
        pytest.skip("CUDA reads whatever lies there and says nothing")
    monkeypatch.setattr(decoder, "_encoded", beyond_the_vocabulary)
    with pytest.raises(th.TensorRTError, match="failed"):
        decoder(GOOD)
    monkeypatch.undo()
    check(tiny_bert.lm, decoder(GOOD), GOOD, 5)


def test_a_batch_is_enqueued_before_the_last_one_is_answered(tiny_bert_folder):
    decoder = MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64, in_flight=3)
    decoder(GOOD * 4)
    with th.Gate() as gate:
        gate.hold(decoder._streams.execution)
        slots = deque()
        batches = [decoder._enqueued(batch, slots) for batch in islice(decoder._batches(GOOD * 4, 100), 2)]
        assert len(slots) == 2 and not any(slot.done.query() for slot in slots)
    assert [len(slot.results()[0]) for _, slot in batches] == [
        sum(row.count(decoder._tokenizer.mask_id) for row in batch.ids) for batch, _ in batches
    ]


def test_a_timeline_gets_what_the_decoder_does(tiny_bert_folder):
    decoder = MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64, in_flight=2)
    decoder.timeline = th.Timeline()
    decoder(GOOD)
    spans = decoder.timeline.spans()
    kinds = {"tokenise", "execute"} | ({"copy in", "copy out"} if th.device.type == "cuda" else set())
    assert {span.what for span in spans} == kinds
    first = {kind: next(s for s in spans if s.what == kind) for kind in kinds}
    assert all(span.start_ms <= span.end_ms for span in spans)
    assert first["tokenise"].end_ms <= first["execute"].end_ms


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_batch_in_flight_is_refused(decoder, tiny_bert_folder, count):
    with pytest.raises(ValueError, match=f"at least 1; got {count}"):
        MaskedWordDecoder.from_plan(decoder.plan, tiny_bert_folder, in_flight=count)


def test_read_ahead_takes_more_and_keeps_the_order():
    taken = []

    def source():
        for i in range(4):
            taken.append(i)
            yield i
        raise OSError("gone")

    handed_out = []
    with pytest.raises(OSError, match="gone"):
        for item in read_ahead(source(), 2):
            handed_out.append((item, len(taken)))
    assert handed_out == [(0, 3), (1, 4), (2, 4), (3, 4)]
    assert list(read_ahead([], 2)) == [] and list(read_ahead("ab", 0)) == ["a", "b"]


def test_read_ahead_hands_out_at_once_what_is_ready():
    taken, done = [], {0, 1, 4}
    source = (taken.append(i) or i for i in range(6))
    handed_out = [(item, len(taken)) for item in read_ahead(source, 2, done.__contains__)]
    assert handed_out == [(0, 1), (1, 2), (2, 5), (3, 6), (4, 6), (5, 6)]


# ---- progress ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "setting", "shown"), [(6, "1", False), (1000, "1", True), (1000, "0", False)])
def test_a_bar_for_long_lists_only(decoder, monkeypatch, count, setting, shown):
    seen = []

    class Bar(decoder_module.tqdm):
        def __init__(self, *args, **kwargs):
            seen.append(not kwargs["disable"])
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(decoder_module, "tqdm", Bar)
    monkeypatch.setenv("TRT_HELPERS_PROGRESS", setting)
    decoder(["[MASK] word"] * count)
    assert seen == [shown]


# ---- plans --------------------------------------------------------------------------------------------------------


def test_plan_is_built_once(decoder, tiny_bert_folder, monkeypatch, cache):
    monkeypatch.setattr(plans, "build_plan", lambda *_: pytest.fail("built again"))
    again = MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64)
    assert again.plan == decoder.plan and again.plan.parent == cache
    assert words(again(GOOD)) == words(decoder(GOOD))


def test_a_damaged_plan_is_built_again(decoder, tiny_bert_folder):
    whole = decoder.plan.read_bytes()
    decoder.plan.write_bytes(whole[:-100])
    again = MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64)
    assert words(again(GOOD)) == words(decoder(GOOD))
    assert len(decoder.plan.read_bytes()) >= len(whole) - 100


def test_from_plan_needs_no_model(decoder, tiny_bert_folder, monkeypatch):
    monkeypatch.setattr(decoder_module, "load_masked_lm", lambda *_: pytest.fail("loaded PyTorch's weights"))
    other = MaskedWordDecoder.from_plan(decoder.plan, tiny_bert_folder, tokens=32)
    assert [r.candidates[0][0].word for r in other(GOOD)] == [r.candidates[0][0].word for r in decoder(GOOD)]


def test_a_plan_of_something_else_is_refused(adder_plan, tiny_bert, tmp_path):
    for plan, inside in ((adder_plan, "x, w, y"), (tiny_bert.plan, "attention_mask, logits")):
        path = th.save_plan(plan, tmp_path / "other.plan")
        with pytest.raises(ValueError, match="made from export_decoder's ONNX file; this one has") as caught:
            MaskedWordDecoder.from_plan(path)
        assert inside in str(caught.value)


def test_from_plan_of_a_missing_file_says_so(tmp_path):
    with pytest.raises(th.TensorRTError, match="no.plan"):
        MaskedWordDecoder.from_plan(tmp_path / "no.plan")


def test_decoders_may_share_an_engine(decoder, tiny_bert):
    other = MaskedWordDecoder(decoder._engine, tiny_bert.lm.tokenizer, tokens=64)
    assert other(GOOD) == decoder(GOOD)
    assert other.plan is None


def test_others_padding_does_not_reach_the_decoder(decoder, tiny_bert):
    lm = tiny_bert.lm
    mine = MaskedWordDecoder(decoder._engine, lm.tokenizer, tokens=64)
    lm.tokenizer(GOOD, padding="max_length", max_length=5, truncation=True)  # changes the Rust part for good
    assert mine(GOOD) == decoder(GOOD)


@pytest.mark.slow
def test_a_worker_process_gives_the_same_answers(tiny_bert_folder):
    decoder = MaskedWordDecoder.from_pretrained(tiny_bert_folder, tokens=64)
    program = (
        "import sys; from trt_helpers import MaskedWordDecoder\n"
        "decoder = MaskedWordDecoder.from_plan(sys.argv[1], sys.argv[2], tokens=64)\n"
        "print(*decoder(sys.argv[3:]), sep='\\n')"
    )
    command = [sys.executable, "-c", program, str(decoder.plan), str(tiny_bert_folder), *GOOD]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(result) for result in decoder(GOOD)]
