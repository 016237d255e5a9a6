"""The stored language model: its size, what it predicts, and that its card tells the truth."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForMaskedLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models" / "masked-lm"
TOOLS = ROOT / "tools" / "model"
LIMIT = 46 * 10**6


@pytest.fixture(scope="module")
def tools():
    """The recipe's own modules; they are scripts, not a package."""
    sys.path.insert(0, str(TOOLS))
    try:
        import build_corpus
        import evaluate
        import text

        yield {"build_corpus": build_corpus, "evaluate": evaluate, "text": text}
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def model():
    return AutoModelForMaskedLM.from_pretrained(FOLDER, dtype=torch.float32, local_files_only=True).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER, local_files_only=True)


@pytest.fixture(scope="module")
def card() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def test_files_fit_the_limit():
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert (FOLDER / "model.safetensors").stat().st_size <= LIMIT
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= LIMIT


def test_every_weight_is_float16_and_the_embedding_is_stored_once():
    with safe_open(FOLDER / "model.safetensors", framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        assert {part.get_dtype() for part in slices.values()} == {"F16"}
        assert [name for name, part in slices.items() if part.get_shape() == [30522, 384]] == [
            "bert.embeddings.word_embeddings.weight"
        ]


def test_loads_without_warnings_as_float16():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoModelForMaskedLM.from_pretrained(FOLDER, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(FOLDER, local_files_only=True)
    config = model.config
    assert model.dtype == torch.float16
    assert (config.num_hidden_layers, config.hidden_size, config.vocab_size) == (6, 384, 30522)
    assert len(tokenizer) == 30522
    # No fixed length may be left from the base model's package: a short sentence stays short.
    assert len(tokenizer("A short sentence.")["input_ids"]) == 6


@pytest.mark.parametrize(
    ("sentence", "position", "answer", "within"),
    [
        ("Paris is the [MASK] of France.", 4, "capital", 1),
        ("The primary [MASK] of the United States is English.", 3, "language", 1),
        (
            "Topology is a branch of [MASK] concerned with the properties of geometric objects that remain "
            "unchanged under continuous transformations.",
            6,
            "mathematics",
            1,
        ),
        ("A baseball game consists of at least nine [MASK].", 9, "innings", 5),
    ],
)
def test_acceptance_sentences(model, tokenizer, sentence, position, answer, within):
    inputs = tokenizer(sentence, return_tensors="pt")
    assert inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id) == position
    with torch.inference_mode():
        best = model(**inputs).logits[0, position].topk(within).indices
    assert answer in tokenizer.convert_ids_to_tokens(best.tolist())


def test_padding_does_not_change_the_prediction(model, tokenizer):
    inputs = tokenizer("Paris is the [MASK] of France.", padding="max_length", max_length=32, return_tensors="pt")
    with torch.inference_mode():
        best = model(**inputs).logits[0, 4].argmax().item()
    assert tokenizer.convert_ids_to_tokens(best) == "capital"


def test_cloze_rows(tools, tokenizer):
    rows = list(tools["text"].read_cloze(TOOLS / "cloze.tsv"))
    assert len(rows) >= 60
    assert {kind for kind, _, _ in rows} == {"fact", "collocation", "grammar"}
    for _, sentence, answer in rows:
        assert sentence.count("[MASK]") == 1
        assert tokenizer.tokenize(answer) == [answer]


def test_card_quotes_the_cloze_scores_of_these_files(tools, model, tokenizer, card):
    rows = tools["text"].read_cloze(TOOLS / "cloze.tsv")
    scores, _ = tools["evaluate"].cloze_scores(model, tokenizer, rows)
    measured = {
        kind: (count, f"{first / count:.3f}", f"{fifth / count:.3f}") for kind, (first, fifth, count) in scores.items()
    }
    quoted = {
        kind: (int(count), first, fifth)
        for kind, count, first, fifth in re.findall(r"^\| (\w+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", card, re.M)
    }
    assert quoted == measured


def test_card_quotes_the_five_words_for_each_acceptance_sentence(tools, model, tokenizer, card):
    sentences = [sentence for sentence, _ in tools["text"].ACCEPTANCE]
    found = tools["evaluate"].top_words(model, tokenizer, sentences)
    for sentence, words in zip(sentences, found, strict=True):
        assert f"| {sentence} | {', '.join(words)} |" in card


def test_card_names_every_source_with_its_licence(tools, card):
    for source in tools["build_corpus"].SOURCES:
        name = re.split(r"==|@", source.package)[0]
        row = next((line for line in card.splitlines() if line.startswith(f"| `{name}`")), "")
        assert source.licence in row, name
    assert tools["build_corpus"].BASE_PACKAGE.split("==")[0] in card


def test_blocklist_finds_test_sentences_whatever_fills_the_gap(tools):
    blocklist = tools["text"].Blocklist(["Paris is the [MASK] of France."])
    assert blocklist.contains_test("He said: Paris is the heart of France!")
    assert not blocklist.contains_test("Paris is the capital and largest city of France.")
