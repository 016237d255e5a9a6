"""The course's model: a small BERT that fills in ``[MASK]``. Load it, export it, decode what it says."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import torch

MODEL_FOLDER = Path(__file__).parent.parent / "models" / "masked-lm"
INPUTS = ("input_ids", "token_type_ids", "attention_mask")
BATCH = (1, 64)
SEQUENCE = (4, 512)

# Part of the name of cached ONNX files: raise it when export_onnx writes a different graph.
_EXPORT_VERSION = 1


class MaskedLM(NamedTuple):
    """A masked language model and its tokenizer; ``source`` is the folder or Hub name it came from."""

    model: torch.nn.Module
    tokenizer: object
    source: str


class Candidate(NamedTuple):
    """A word that could stand for ``[MASK]``, with its probability."""

    word: str
    probability: float


def load_masked_lm(source: str | Path = MODEL_FOLDER) -> MaskedLM:
    """The shipped model by default; any BERT-like masked language model from a folder or from the Hub.

    Returns:
        The model in float32 and evaluation mode on the CPU, with its tokenizer.

    Raises:
        FileNotFoundError: the name is no folder here, and neither the Hub nor its cache has it.
        ValueError: it is no masked language model.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    try:
        with _quiet_transformers():
            # "eager" attention is plain matmul and softmax: the graph that exporters and TensorRT know best.
            model = AutoModelForMaskedLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
            tokenizer = AutoTokenizer.from_pretrained(source)
    except OSError:
        raise FileNotFoundError(
            f"'{source}' is neither a folder with a model nor in the Hugging Face cache, and the Hub was not reached. "
            "Without a network use the shipped model, load_masked_lm(); with one, check the name and "
            "the variable HF_HUB_OFFLINE."
        ) from None
    except ValueError as error:
        raise ValueError(f"'{source}' is not a masked language model: {str(error).splitlines()[0]}") from None
    if tokenizer.mask_token is None:
        raise ValueError(f"'{source}' is not a masked language model: its tokenizer has no mask token.")
    return MaskedLM(model.eval(), tokenizer, str(source))


@contextlib.contextmanager
def _quiet_transformers():
    """No progress bars for reading one small file."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def cache_folder() -> Path:
    """Where exported models and plans are kept: ``TRT_HELPERS_CACHE``, or ``~/.cache/trt_helpers``."""
    return Path(os.environ.get("TRT_HELPERS_CACHE", Path.home() / ".cache" / "trt_helpers"))


def export_onnx(lm: MaskedLM, path: str | Path | None = None) -> Path:
    """Export to ONNX: three int64 inputs (batch, sequence), one float32 output ``logits`` (batch, sequence, words).

    Batch may be 1 to 64 and sequence 4 to 512; all inputs share these two dimension names.

    Parameters:
        path: where to write; default: the cache, from where the next call takes it in no time.
    """
    if path is None:
        path = cache_folder() / f"masked-lm-{_fingerprint(lm.model)}-v{_EXPORT_VERSION}.onnx"
        if path.exists():
            return path
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    program = _export(lm)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        program.save(written, external_data=False)
        os.replace(written, path)  # two lessons at once: both write, neither reads half a file
    return path


def _fingerprint(model: torch.nn.Module) -> str:
    """Changes with the weights: a sample of every tensor is enough to tell two models apart."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        sample = tensor.detach().float().flatten()[:: max(1, tensor.numel() // 64)]
        digest.update(f"{name}{tuple(tensor.shape)}".encode() + sample.numpy().tobytes())
    return digest.hexdigest()[:12]


class _LogitsOnly(torch.nn.Module):
    """The model with a fixed order of inputs and one output."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids, token_type_ids, attention_mask):
        return self.model(
            input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask
        ).logits


def _export(lm: MaskedLM) -> torch.onnx.ONNXProgram:
    batch = torch.export.Dim("batch", min=BATCH[0], max=BATCH[1])
    sequence = torch.export.Dim("sequence", min=SEQUENCE[0], max=SEQUENCE[1])
    # A tensor of its own for each input: the exporter takes one tensor used three times for one input.
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in INPUTS}
    with _quiet_exporter():
        return torch.onnx.export(
            _LogitsOnly(lm.model).eval(),
            kwargs=example,
            dynamic_shapes={name: {0: batch, 1: sequence} for name in INPUTS},
            input_names=list(INPUTS),
            output_names=["logits"],
            opset_version=20,
            dynamo=True,
            verbose=False,
        )


@contextlib.contextmanager
def _quiet_exporter():
    """The exporter reports its own progress, and that torchvision is not installed; neither is news here."""
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            exporter_log.setLevel(level)


def tokenize(lm: MaskedLM, sentences: str | list[str], **options: object) -> dict[str, torch.Tensor]:
    """Sentences to the three int64 inputs (batch, sequence), padded to the longest sentence.

    Parameters:
        options: passed to the tokenizer, for example ``padding="max_length", max_length=128``.
    """
    sentences = [sentences] if isinstance(sentences, str) else sentences
    encoded = lm.tokenizer(sentences, return_tensors="pt", **{"padding": True, **options})
    return {name: encoded[name] for name in INPUTS}


def find_masks(lm: MaskedLM, input_ids: torch.Tensor) -> list[tuple[int, int]]:
    """Where the mask tokens are: (row, position) pairs; ``[CLS]`` is position 0."""
    return [tuple(place) for place in (input_ids == lm.tokenizer.mask_token_id).nonzero().tolist()]


def decode_top_k(lm: MaskedLM, logits: torch.Tensor, k: int = 5) -> list[Candidate]:
    """The ``k`` likeliest words for one position.

    Parameters:
        logits: the scores of all words at that position, shape (words,).
    """
    top = logits.float().softmax(dim=-1).topk(k)
    words = lm.tokenizer.convert_ids_to_tokens(top.indices.tolist())
    return [Candidate(w, p) for w, p in zip(words, top.values.tolist(), strict=True)]
