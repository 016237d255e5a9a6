"""The course's model: a small BERT that fills in ``[MASK]``. Load it, export it, decode what it says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..files import written_whole
from .answers import Candidate, SentenceError, not_text, too_long
from .exporting import LogitsOnly, to_onnx
from .loading import errors_that_help

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MODEL_FOLDER = Path(__file__).parents[2] / "models" / "masked-lm"
INPUTS = ("input_ids", "token_type_ids", "attention_mask")
BATCH = (1, 64)
SEQUENCE = (4, 512)

# Part of the name of cached ONNX files: raise it when export_onnx writes a different graph.
_EXPORT_VERSION = 2


class MaskedLM(NamedTuple):
    """A masked language model and its tokenizer; ``source`` is the folder or Hub name it came from."""

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    source: str


def load_masked_lm(source: str | Path | None = None) -> MaskedLM:
    """The shipped model by default; any BERT-like masked language model from a folder or from the Hub.

    Returns:
        The model in float32 and evaluation mode on the CPU, with its tokenizer.

    Raises:
        FileNotFoundError: there is no such folder, a file is missing in it, or neither the Hub nor its cache has
            the model.
        ValueError: it is no masked language model, or one of its files cannot be read.
    """
    source = MODEL_FOLDER if source is None else source
    with errors_that_help(source):
        from transformers import AutoModelForMaskedLM

        # "eager" attention is plain matmul and softmax: the graph that exporters and TensorRT know best.
        model, report = AutoModelForMaskedLM.from_pretrained(
            source, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        if report["missing_keys"]:  # transformers would fill them with random numbers
            some = ", ".join(sorted(report["missing_keys"])[:3])
            raise ValueError(f"its file has no weights for {some}.")
    return MaskedLM(model.eval(), load_tokenizer(source), str(source))


def load_tokenizer(source: str | Path | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, without its weights: for whoever has a plan already.

    Parameters:
        source: as for ``load_masked_lm``.

    Raises:
        FileNotFoundError, ValueError: as ``load_masked_lm``.
    """
    source = MODEL_FOLDER if source is None else source
    with errors_that_help(source):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(source)
        if len(tokenizer) <= len(tokenizer.all_special_tokens):  # what transformers makes up where no file is
            raise ValueError("it has no vocabulary (tokenizer.json or vocab.txt).")
        if tokenizer.mask_token is None:
            raise ValueError("its tokenizer has no mask token.")
        missing = [name for name in INPUTS if name not in tokenizer.model_input_names]
        if missing:
            raise ValueError(f"its tokenizer makes no {', '.join(missing)}, so the model is not like BERT.")
    return tokenizer


def cache_folder() -> Path:
    """Where exported models and plans are kept: ``TRT_HELPERS_CACHE``, or ``~/.cache/trt_helpers``."""
    return Path(os.environ.get("TRT_HELPERS_CACHE", Path.home() / ".cache" / "trt_helpers"))


def export_onnx(lm: MaskedLM, path: str | Path | None = None) -> Path:
    """Export to ONNX: three int64 inputs (batch, sequence), one float32 output ``logits`` (batch, sequence, words).

    Batch may be 1 to 64 and sequence 4 to 512; all inputs share these two dimension names.

    Parameters:
        path: where to write; default: the cache, from where the next call takes it in no time.
    """
    return saved(_export, lm, path, f"v{_EXPORT_VERSION}")


def saved(
    export: Callable[[MaskedLM], torch.onnx.ONNXProgram], lm: MaskedLM, path: str | Path | None, kind: str
) -> Path:
    """The file that an export writes: at ``path``, or in the cache, where a file of this model and kind is reused."""
    if path is None:
        path = cache_folder() / f"masked-lm-{_fingerprint(lm.model)}-{kind}.onnx"
        if path.exists():
            return path
    path = Path(path)
    program = export(lm)
    with written_whole(path) as unfinished:  # two lessons at once: both write, neither reads half a file
        program.save(unfinished, external_data=False)
    return path


def _fingerprint(model: torch.nn.Module) -> str:
    """Changes with every weight, and with the settings that the weights do not show (heads, activation)."""
    digest = hashlib.sha256(model.config.to_json_string().encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


def _export(lm: MaskedLM) -> torch.onnx.ONNXProgram:
    batch = torch.export.Dim("batch", min=BATCH[0], max=BATCH[1])
    sequence = torch.export.Dim("sequence", min=SEQUENCE[0], max=longest_sequence(lm))
    # A tensor of its own for each input: the exporter takes one tensor used three times for one input.
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in INPUTS}
    dynamic = {name: {0: batch, 1: sequence} for name in INPUTS}
    return to_onnx(LogitsOnly(lm.model), example, dynamic, ["logits"])


def longest_sequence(lm: MaskedLM) -> int:
    """The largest number of tokens in a sentence, with the two that the tokenizer adds."""
    return min(SEQUENCE[1], lm.model.config.max_position_embeddings)


def problem_with(lm: MaskedLM, sentence: object, longest: int | None = None) -> str:
    """Why a sentence cannot be tokenised, and what to do about it; ``""`` if it can.

    Parameters:
        longest: the largest number of tokens, with the two that the tokenizer adds; default: the model's limit.
    """
    if problem := not_text(sentence, lm.tokenizer.mask_token):
        return problem
    tokens = len(lm.tokenizer(sentence, truncation=False, verbose=False)["input_ids"])
    return too_long(sentence, tokens, longest or lm.model.config.max_position_embeddings)


def tokenize(lm: MaskedLM, sentences: str | Sequence[str], **options: object) -> dict[str, torch.Tensor]:
    """Sentences to the three int64 inputs (batch, sequence), padded to the longest sentence.

    Parameters:
        options: passed to the tokenizer, for example ``padding="max_length", max_length=128``.

    Raises:
        SentenceError: one or more are empty, no text, or longer than the model can read. It names all of them.
    """
    sentences = [sentences] if isinstance(sentences, str) else list(sentences)
    problems = {i: problem for i, s in enumerate(sentences) if (problem := problem_with(lm, s))}
    if not sentences:
        problems = {0: "there is none. Pass at least one sentence."}
    if problems:
        raise SentenceError(problems)
    encoded = lm.tokenizer(sentences, return_tensors="pt", **{"padding": True, **options})
    return {name: encoded[name] for name in INPUTS}


def find_masks(lm: MaskedLM, input_ids: torch.Tensor) -> list[tuple[int, int]]:
    """Where the mask tokens are: (row, position) pairs; ``[CLS]`` is position 0."""
    if not isinstance(input_ids, torch.Tensor):
        raise TypeError(f"find_masks takes the tensor input_ids, got {type(input_ids).__name__}: tokenize first")
    return [tuple(place) for place in (input_ids == lm.tokenizer.mask_token_id).nonzero().tolist()]


def decode_top_k(lm: MaskedLM, logits: torch.Tensor, k: int = 5) -> list[Candidate]:
    """The ``k`` likeliest words for one position, the likeliest first.

    Parameters:
        logits: the scores of all words at that position, shape (words,).

    Raises:
        ValueError: the scores of more than one position, or fewer than ``k`` words.
    """
    if logits.dim() != 1 or not 1 <= k <= logits.numel():
        shape = tuple(logits.shape)
        raise ValueError(
            f"decode_top_k takes the scores of one position, shape (words,), and 1 <= k <= words; got {shape}, k={k}"
        )
    top = logits.float().softmax(dim=-1).topk(k)
    words = lm.tokenizer.convert_ids_to_tokens(top.indices.tolist())
    return [Candidate(w, p) for w, p in zip(words, top.values.tolist(), strict=True)]
