"""The second export: a graph that answers with words instead of scores for every word at every token.

Lesson 7 measures what each of these saves:

* Only the tokens asked about reach the head. Its vocabulary projection costs as much as six layers of the model.
* The last layer, too, is computed for those tokens alone. Its keys and values still need the whole sentence.
* Softmax and TopK run in the graph: 32 ids and probabilities leave it for each mask, not 30,522 scores.
* Between the attentions, tokens lie in one long row (batch x sequence, hidden): every matrix product is a plain
  two-dimensional one with its bias inside, and ONNX Runtime leaves the residual sum and LayerNormalization alone.
  Its fused form of those two took four times as long here.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from .exporting import LogitsOnly, to_onnx
from .model import INPUTS, MaskedLM, longest_sequence, saved

POSITIONS = "mask_positions"
OUTPUTS = ("top_ids", "top_probabilities")
TOP_K = 32
LARGEST = 4096  # batch, and masks in a batch, that the exporter is told of

# Part of the name of cached ONNX files: raise it when the graph changes.
_VERSION = 1


def export_decoder(lm: MaskedLM, path: str | Path | None = None) -> Path:
    """Export to ONNX with the decoding inside.

    Inputs, all int64: the three of ``export_onnx`` (batch, sequence), and ``mask_positions`` (masks, 2), a (row,
    position) pair for each token that is asked about: several in a sentence, or none, cost what they cost alone.
    Outputs: ``top_ids`` int64 and ``top_probabilities`` float32, both (masks, 32), the likeliest first. Take as many
    columns as you want. A model with fewer words than 32 has as many columns as words.

    Parameters:
        path: where to write; default: the cache, from where the next call takes it in no time.
    """
    return saved(_export, lm, path, f"decoder-v{_VERSION}")


def _export(lm: MaskedLM) -> torch.onnx.ONNXProgram:
    batch = torch.export.Dim("batch", min=1, max=LARGEST)
    sequence = torch.export.Dim("sequence", min=3, max=longest_sequence(lm))  # "[MASK]" alone has three tokens
    masks = torch.export.Dim("masks", min=1, max=LARGEST)
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in INPUTS}
    example[POSITIONS] = torch.tensor([[0, 1], [1, 2], [1, 3]])
    dynamic = {name: {0: batch, 1: sequence} for name in INPUTS} | {POSITIONS: {0: masks}}
    return to_onnx(WordsAtMasks(lm.model), example, dynamic, list(OUTPUTS))


class WordsAtMasks(nn.Module):
    """The model with the decoding inside.

    Parameters:
        model: a ``BertForMaskedLM``. Any other architecture works, but computes the scores of every token.
    """

    def __init__(self, model: nn.Module) -> None:
        from transformers import BertForMaskedLM

        super().__init__()
        is_bert = isinstance(model, BertForMaskedLM) and not model.config.is_decoder
        self.scores = (_BertScores if is_bert else _AnyScores)(model)
        self.top_k = min(TOP_K, model.config.vocab_size)

    def forward(
        self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor, mask_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Ids and probabilities of the likeliest words, each (masks, 32)."""
        scores = self.scores(input_ids, token_type_ids, attention_mask, mask_positions)
        top = scores.softmax(dim=-1).topk(self.top_k, dim=-1)
        return top.indices, top.values


class _AnyScores(LogitsOnly):
    """The scores at the masks, out of the scores everywhere."""

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        """The scores, shape (masks, words)."""
        return super().forward(input_ids, token_type_ids, attention_mask)[places[:, 0], places[:, 1]]


class _BertScores(nn.Module):
    """The scores at the masks, and as little else as they need. The parts are the model's own, weights and all."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.embeddings, self.layers, self.head = model.bert.embeddings, model.bert.encoder.layer, model.cls
        self.heads = model.config.num_attention_heads

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        """The scores, shape (masks, words)."""
        batch, sequence = input_ids.shape
        tokens = self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids).flatten(0, 1)
        hidden = tokens.shape[-1]

        def by_head(flat: Tensor) -> Tensor:
            return flat.view(batch, sequence, self.heads, hidden // self.heads).transpose(1, 2)

        # 0 where a token may be looked at, the lowest number where not: shape (batch, 1, 1, sequence).
        lowest = torch.finfo(tokens.dtype).min
        padding = torch.where(attention_mask[:, None, None, :] > 0, 0.0, lowest).to(tokens.dtype)
        for layer in self.layers[:-1]:
            part = layer.attention.self
            query, key, value = by_head(part.query(tokens)), by_head(part.key(tokens)), by_head(part.value(tokens))
            seen = _attend(query, key, value, padding, part.scaling).transpose(1, 2).reshape(-1, hidden)
            tokens = _rest_of_layer(layer, seen, tokens)
        layer, rows = self.layers[-1], places[:, 0]
        part = layer.attention.self
        key, value = by_head(part.key(tokens))[rows], by_head(part.value(tokens))[rows]
        masks = tokens.view(batch, sequence, hidden)[rows, places[:, 1]]
        query = part.query(masks).view(-1, self.heads, 1, hidden // self.heads)
        seen = _attend(query, key, value, padding[rows], part.scaling).reshape(-1, hidden)
        return self.head(_rest_of_layer(layer, seen, masks))


def _attend(query: Tensor, key: Tensor, value: Tensor, padding: Tensor, scaling: float) -> Tensor:
    """Attention, shape (batch, heads, queries, hidden / heads): the plain form, which TensorRT fuses."""
    return (query @ key.transpose(2, 3) * scaling + padding).softmax(dim=-1) @ value


def _rest_of_layer(layer: nn.Module, seen: Tensor, tokens: Tensor) -> Tensor:
    """What follows the attention, token by token, shape (tokens, hidden)."""
    tokens = layer.attention.output(seen, tokens)
    return layer.output(layer.intermediate(tokens), tokens)
