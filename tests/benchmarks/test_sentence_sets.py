import statistics

import pytest

from benchmarks import make_sentences, sentence_sets
from trt_helpers.decoding.model import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.mark.parametrize("name", sentence_sets.SETS)
def test_set_is_what_its_readme_says(name, tokenizer):
    sentences = sentence_sets.read(name)
    lengths = [len(ids) for ids in tokenizer(sentences)["input_ids"]]
    shortest, mean, longest, _ = make_sentences.SETS[name]
    assert (len(sentences), len(set(sentences))) == (2000, 2000)
    assert {sentence.count("[MASK]") for sentence in sentences} == {1}
    assert (min(lengths), statistics.mean(lengths), max(lengths)) == (shortest, mean, longest)
    readme = (sentence_sets.DATA / "README.md").read_text()
    assert f"| `{name}.txt` | 2,000 | {shortest}, {longest}, {mean:.1f} |" in readme


def test_a_sample_has_the_same_spread(tokenizer):
    lengths = [len(ids) for ids in tokenizer(sentence_sets.read("mixed"))["input_ids"]]
    sample = sentence_sets.spread_sample(lengths, 200)
    assert len(set(sample)) == 200 and sample == sorted(sample)
    assert statistics.mean(lengths[i] for i in sample) == pytest.approx(32, abs=0.3)
    assert statistics.stdev(lengths[i] for i in sample) == pytest.approx(statistics.stdev(lengths), rel=0.05)


def test_a_sample_of_all_is_all():
    assert sentence_sets.spread_sample([5, 3, 9, 3], 4) == [0, 1, 2, 3]
