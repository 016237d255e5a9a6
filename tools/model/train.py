"""Train the masked language model on one GPU.

    python train.py --base BASE --corpus corpus.npz --out OUT --minutes 8.6 --compile

BASE is the folder of all-MiniLM-L6-v2. That model was trained to embed sentences: it keeps a good encoder
but has no head that names words. The head is new and tied to the word embeddings.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM

PAD, CLS, SEP, MASK = 0, 101, 102, 103
FIRST_WORD, VOCABULARY = 999, 30522  # ids below are special or unused entries
MASKED_SHARE = 0.2
# (kind, length, share of steps). The lessons show single sentences as well as longer text.
SHAPES = (("sentence", 32, 0.2), ("sentence", 64, 0.2), ("packed", 128, 0.4), ("packed", 256, 0.2))
Batch = tuple[Tensor, Tensor | None]


@dataclass
class Spans:
    """Where each sentence, and each paragraph, starts in the token array and how long it is."""

    start: Tensor
    length: Tensor

    def repeated(self, times: Tensor) -> Spans:
        """Return the spans with entry i written `times[i]` times."""
        return Spans(self.start.repeat_interleave(times), self.length.repeat_interleave(times))


class Corpus:
    """Token ids on the device and random batches cut from them."""

    def __init__(self, archive: np.lib.npyio.NpzFile, split: str, device: str) -> None:
        raw = torch.from_numpy(archive[split].astype(np.int32)).to(device)
        source_ends = torch.from_numpy(archive[f"{split}_ends"]).to(device)
        repeats = torch.from_numpy(archive["repeats"]).to(device)
        # Marks are taken out: sentences and paragraphs become spans of one plain array.
        is_word = (raw != PAD) & (raw != SEP)
        position = torch.cumsum(is_word, 0)
        self.tokens = raw[is_word]
        self.sentences = self._spans(position, raw == SEP, source_ends, repeats)
        self.paragraphs = self._spans(position, raw == PAD, source_ends, repeats)
        self.device = device
        self._stream = self.tokens[:0]

    @staticmethod
    def _spans(position: Tensor, is_end: Tensor, source_ends: Tensor, repeats: Tensor) -> Spans:
        """Turn end marks into spans, repeated as often as their source asks for."""
        marks = is_end.nonzero().squeeze(1)
        ends = position[marks]
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        source = torch.searchsorted(source_ends, marks, right=True)
        return Spans(starts, ends - starts).repeated(repeats[source])

    def sentence_batch(self, rows: int, width: int) -> Batch:
        """Return `rows` single sentences that fit `width` but not half of it, with their mask."""
        shortest = 5 if width == 32 else width // 2 - 1
        fits = (self.sentences.length >= shortest) & (self.sentences.length <= width - 2)
        candidates = fits.nonzero().squeeze(1)
        chosen = candidates[torch.randint(len(candidates), (rows,), device=self.device)]
        start, length = self.sentences.start[chosen, None], self.sentences.length[chosen, None]
        column = torch.arange(width, device=self.device)[None]
        ids = self.tokens[(start + column - 1).clamp(0, len(self.tokens) - 1)].long()
        ids = torch.where(column <= length, ids, PAD)
        ids[:, 0] = CLS
        ids.scatter_(1, length + 1, SEP)
        return ids, (column <= length + 1).long()

    def packed_batch(self, rows: int, width: int) -> Batch:
        """Return `rows` full rows of running text; paragraphs follow each other in random order."""
        need = rows * (width - 2)
        if len(self._stream) < need:
            self._stream = torch.cat([self._stream, self._shuffled()])
        body, self._stream = self._stream[:need].long(), self._stream[need:]
        edge = torch.ones(rows, 1, dtype=torch.long, device=self.device)
        return torch.cat([edge * CLS, body.view(rows, width - 2), edge * SEP], 1), None

    def _shuffled(self) -> Tensor:
        """Return one pass over all paragraphs in random order."""
        order = torch.randperm(len(self.paragraphs.start), device=self.device)
        start, length = self.paragraphs.start[order], self.paragraphs.length[order]
        shift = start - (torch.cumsum(length, 0) - length)
        index = torch.arange(int(length.sum()), device=self.device) + shift.repeat_interleave(length)
        return self.tokens[index]

    def batch(self, kind: str, rows: int, width: int) -> Batch:
        """Return one batch of the given kind."""
        return (self.sentence_batch if kind == "sentence" else self.packed_batch)(rows, width)


def mask_tokens(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Choose a share of the words; show 80 % of them as [MASK], 10 % as a random word, 10 % as they are."""
    chosen = (torch.rand(ids.shape, device=ids.device) < MASKED_SHARE) & (ids >= FIRST_WORD)
    dice = torch.rand(ids.shape, device=ids.device)
    noise = torch.randint_like(ids, FIRST_WORD, VOCABULARY)
    shown = torch.where(chosen & (dice < 0.8), MASK, ids)
    shown = torch.where(chosen & (dice >= 0.9), noise, shown)
    return shown, chosen


def masked_logits(model: BertForMaskedLM, shown: Tensor, attention: Tensor | None, chosen: Tensor) -> Tensor:
    """Return logits [chosen words, vocabulary]; the head runs on the chosen words alone, a fifth of all."""
    hidden = model.bert(input_ids=shown, attention_mask=attention).last_hidden_state
    return model.cls(hidden[chosen]).float()


def start_model(base: Path) -> BertForMaskedLM:
    """Return the base encoder with a fresh head whose dense layer passes its input through."""
    config = BertConfig.from_pretrained(base)
    config.attention_probs_dropout_prob = 0.0  # only while training; see export.py
    model = BertForMaskedLM(config)
    weights = {name: value.float() for name, value in load_file(base / "model.safetensors").items()}
    missing, _ = model.bert.load_state_dict(weights, strict=False)
    if missing:
        raise ValueError(f"{base} lacks the weights {missing}")
    nn.init.eye_(model.cls.predictions.transform.dense.weight)
    nn.init.zeros_(model.cls.predictions.transform.dense.bias)
    return model


class MasterWeights:
    """AdamW on float32 copies: bfloat16 weights alone would lose the small late updates."""

    def __init__(self, model: nn.Module, fused: bool) -> None:
        self.live = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.copies = [parameter.detach().float().clone() for parameter in self.live]
        decay = [copy for copy in self.copies if copy.ndim > 1]
        plain = [copy for copy in self.copies if copy.ndim == 1]
        groups = [{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-6, fused=fused)

    def step(self, rate: float) -> None:
        """Apply the live gradients at learning rate `rate` and refresh the live weights."""
        for live, copy in zip(self.live, self.copies, strict=True):
            copy.grad = None if live.grad is None else live.grad.float()
            live.grad = None
        nn.utils.clip_grad_norm_(self.copies, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(self.live, self.copies)


def learning_rate(progress: float, peak: float) -> float:
    """Return a short linear warm-up, then half a cosine down to zero at `progress` 1."""
    warm_up = 0.03
    if progress < warm_up:
        return peak * progress / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


@torch.no_grad()
def held_out_accuracy(model: BertForMaskedLM, corpus: Corpus) -> float:
    """Return a quick masked accuracy on held-out text; evaluate.py gives the figure to quote."""
    model.eval()
    shown, chosen = mask_tokens(ids := corpus.packed_batch(256, 128)[0])
    hits = masked_logits(model, shown, None, chosen).argmax(-1) == ids[chosen]
    model.train()
    return hits.float().mean().item()


def save(model: BertForMaskedLM, copies: MasterWeights, out: Path) -> None:
    """Write the float32 weights as float16, the tied output matrix left out."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    weights = {names[id(live)]: copy.half() for live, copy in zip(copies.live, copies.copies, strict=True)}
    save_file(weights, out / "weights.safetensors")


def shapes(seed: int) -> Iterator[tuple[str, int]]:
    """Yield the kind and length of each step's batch."""
    dice = np.random.default_rng(seed)
    while True:
        kind, width, _ = SHAPES[dice.choice(len(SHAPES), p=[share for *_, share in SHAPES])]
        yield kind, width


def train(args: argparse.Namespace) -> None:
    """Train until the clock runs out, with the learning rate following the clock."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    archive = np.load(args.corpus)
    corpus, held_out = (Corpus(archive, split, device) for split in ("train", "held_out"))
    model = start_model(args.base).to(device, torch.bfloat16).train()
    weights = MasterWeights(model, fused=device == "cuda")
    if args.compile:
        torch._dynamo.config.suppress_errors = True  # a layer that can't be compiled runs as it is
        torch._dynamo.config.cache_size_limit = 64
        for layer in model.bert.encoder.layer:
            layer.compile(dynamic=False)
    begin, seen = time.monotonic(), 0
    for step, (kind, width) in enumerate(shapes(args.seed), 1):
        progress = (time.monotonic() - begin) / (60 * args.minutes)
        if progress >= 1:
            break
        ids, attention = corpus.batch(kind, args.tokens // width, width)
        shown, chosen = mask_tokens(ids)
        loss = nn.functional.cross_entropy(masked_logits(model, shown, attention, chosen), ids[chosen])
        loss.backward()
        weights.step(learning_rate(progress, args.peak))
        seen += ids.numel()
        if step % args.report == 0:
            accuracy = held_out_accuracy(model, held_out)
            minutes = (time.monotonic() - begin) / 60
            print(
                f"step {step} {minutes:.2f} min {seen:,} loss {loss.item():.3f} held out {accuracy:.4f}",
                flush=True,
            )
        if step % (4 * args.report) == 0:
            save(model, weights, args.out)
    save(model, weights, args.out)
    print(f"finished after {step - 1} steps, {seen:,} token positions")


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="folder with config.json and model.safetensors")
    parser.add_argument("--corpus", type=Path, required=True, help="file written by build_corpus.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights.safetensors")
    parser.add_argument("--minutes", type=float, default=8.6)
    parser.add_argument("--tokens", type=int, default=98304, help="token positions a step")
    parser.add_argument("--peak", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--report", type=int, default=250, help="steps between reports")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="compile the encoder layers")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
