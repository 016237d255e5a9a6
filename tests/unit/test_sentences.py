import pickle

import pytest
import torch

import trt_helpers as th
from trt_helpers.decoding.answers import SentenceError
from trt_helpers.decoding.model import INPUTS


@pytest.fixture(scope="module")
def lm(shipped):
    return shipped.lm


@pytest.fixture(scope="module")
def context(shipped):
    profile = th.Profile.same(INPUTS, (1, 4), (2, 16), (2, 32))
    return th.load_engine(th.build_plan(shipped.onnx, profile)).create_execution_context()


def pytorchs_best(lm, sentence: str) -> list[str]:
    encoded = lm.tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        best = lm.model(**encoded).logits[0].argmax(dim=-1)
    return lm.tokenizer.convert_ids_to_tokens(best[encoded["input_ids"][0] == lm.tokenizer.mask_token_id].tolist())


SENTENCES = [
    "Paris is the [MASK] of France.",
    "She opened the [MASK] and went [MASK].",
    "A cat is an [MASK].",
    "[MASK]",  # three tokens: shorter than the profile's minimum
    "He drank a cup of [MASK].",
]


def test_more_sentences_than_a_batch_holds_come_back_in_order_with_pytorchs_words(lm, context):
    results = th.fill_in(lm, context, SENTENCES)
    assert [r.sentence for r in results] == SENTENCES
    assert [[c[0].word for c in r.candidates] for r in results] == [pytorchs_best(lm, s) for s in SENTENCES]
    assert all(r.problem == "" for r in results)


def test_one_sentence_may_be_passed_as_text(lm, context):
    (result,) = th.fill_in(lm, context, SENTENCES[0], k=2)
    assert [c.word for c in result.candidates[0]] == ["capital", "city"]
    assert str(result) == "Paris is the [MASK] of France. -> capital, city"


def test_candidates_of_several_masks_are_kept_apart(lm, context):
    (result,) = th.fill_in(lm, context, SENTENCES[1], k=1)
    assert str(result) == "She opened the [MASK] and went [MASK]. -> door; out"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("No mask here.", ["it has no [MASK]", "with brackets and capitals"]),
        ("Paris is the [mask] of France.", ["it has no [MASK]"]),
        ("", ["it is empty"]),
        ("  \n", ["it is empty"]),
        (None, ["this is NoneType, not text"]),
        ("word " * 40 + "[MASK].", ["'word word word", "has 44 tokens", "at most 32 are allowed", "Shorten it"]),
    ],
)
def test_a_bad_sentence_has_its_reason_and_does_not_lose_the_others(lm, context, bad, words):
    first, second, third = th.fill_in(lm, context, [SENTENCES[0], bad, SENTENCES[2]])
    assert all(word in second.problem for word in words)
    assert second.candidates == []
    assert [r.candidates[0][0].word for r in (first, third)] == ["capital", "animal"]


def test_only_bad_sentences_and_none_at_all(lm, context):
    assert [r.candidates for r in th.fill_in(lm, context, ["", "x"])] == [[], []]
    assert th.fill_in(lm, context, []) == []


def test_tokenize_names_every_sentence_that_it_cannot_take(lm):
    with pytest.raises(SentenceError) as caught:
        th.tokenize(lm, ["Fine.", "", "word " * 600, 7])
    assert sorted(caught.value.problems) == [1, 2, 3]
    text = str(caught.value)
    assert "Sentence 1: it is empty" in text
    assert "has 602 tokens, at most 512 are allowed" in text
    assert "Sentence 3: this is int, not text" in text
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_tokenize_refuses_an_empty_list(lm):
    with pytest.raises(SentenceError, match="there is none"):
        th.tokenize(lm, [])
