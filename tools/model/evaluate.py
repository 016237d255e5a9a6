"""Measure an exported model: masked accuracy on held-out text, the cloze table, the acceptance sentences.

    python evaluate.py --folder models/masked-lm --corpus corpus.npz

Prints Markdown, which is what the model card quotes. Without --corpus only the sentences are measured.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from text import ACCEPTANCE, read_cloze
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerBase

HERE = Path(__file__).resolve().parent
HELD_OUT_ROWS = 1024


@torch.inference_mode()
def top_words(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, sentences: list[str], count: int = 5
) -> list[list[str]]:
    """Return the `count` likeliest words for each sentence's [MASK], likeliest first."""
    found = []
    for sentence in sentences:  # one at a time, as the lessons do: no padding
        inputs = tokenizer(sentence, return_tensors="pt")
        position = inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
        best = model(**inputs).logits[0, position].topk(count).indices
        found.append(tokenizer.convert_ids_to_tokens(best.tolist()))
    return found


def cloze_scores(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, rows: Iterable[tuple[str, str, str]]
) -> tuple[dict[str, tuple[int, int, int]], list[tuple[str, str, list[str]]]]:
    """Return {kind: (top-1 hits, top-5 hits, rows)}, "all" included, and the rows that top-1 misses."""
    rows = list(rows)
    scores: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    misses = []
    for (kind, sentence, answer), words in zip(
        rows, top_words(model, tokenizer, [row[1] for row in rows]), strict=True
    ):
        for name in (kind, "all"):
            for slot, hit in enumerate((words[0] == answer, answer in words, True)):
                scores[name][slot] += hit
        if words[0] != answer:
            misses.append((sentence, answer, words))
    return {name: tuple(values) for name, values in scores.items()}, misses


@torch.inference_mode()
def held_out_accuracy(model: torch.nn.Module, corpus: Path, seed: int = 0) -> tuple[float, int]:
    """Return masked accuracy and the number of words asked for, masked as in training."""
    from train import Corpus, mask_tokens, masked_logits

    torch.manual_seed(seed)
    ids, _ = Corpus(np.load(corpus), "held_out", "cpu").packed_batch(HELD_OUT_ROWS, 128)
    hits = asked = 0
    for rows in ids.split(32):
        shown, chosen = mask_tokens(rows)
        hits += int((masked_logits(model, shown, None, chosen).argmax(-1) == rows[chosen]).sum())
        asked += int(chosen.sum())
    return hits / asked, asked


def print_cloze(scores: dict[str, tuple[int, int, int]], misses: list[tuple[str, str, list[str]]]) -> None:
    """Print the cloze table and every sentence whose first word is not the answer."""
    print("| kind | sentences | top-1 | top-5 |\n|---|---|---|---|")
    for kind in sorted(scores, key=lambda name: (name == "all", name)):
        first, fifth, rows = scores[kind]
        print(f"| {kind} | {rows} | {first / rows:.3f} | {fifth / rows:.3f} |")
    print("\n| missed sentence | answer | five likeliest words |\n|---|---|---|")
    for sentence, answer, words in misses:
        print(f"| {sentence} | {answer} | {', '.join(words)} |")


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="exported model")
    parser.add_argument("--corpus", type=Path, help="file written by build_corpus.py")
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    model = AutoModelForMaskedLM.from_pretrained(args.folder, dtype=torch.float32).eval()
    print("| sentence | five likeliest words |\n|---|---|")
    for (sentence, _), words in zip(
        ACCEPTANCE, top_words(model, tokenizer, [row[0] for row in ACCEPTANCE]), strict=True
    ):
        print(f"| {sentence} | {', '.join(words)} |")
    print()
    print_cloze(*cloze_scores(model, tokenizer, read_cloze(HERE / "cloze.tsv")))
    if args.corpus:
        accuracy, asked = held_out_accuracy(model, args.corpus)
        print(f"\nHeld-out masked accuracy: {accuracy:.4f} over {asked:,} words")


if __name__ == "__main__":
    main()
