"""The course's model: a small BERT that fills in ``[MASK]``. Load it, export it, decode what it says."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..files import written_whole

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


class Candidate(NamedTuple):
    """A word that could stand for ``[MASK]``, with its probability."""

    word: str
    probability: float


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
    with _errors_that_help(source):
        return _load(source)


def load_tokenizer(source: str | Path | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, without its weights: for whoever has a plan already.

    Parameters:
        source: as for ``load_masked_lm``.

    Raises:
        FileNotFoundError, ValueError: as ``load_masked_lm``.
    """
    source = MODEL_FOLDER if source is None else source
    with _errors_that_help(source):
        return _load_tokenizer(source)


@contextlib.contextmanager
def _errors_that_help(source: str | Path) -> Iterator[None]:
    """Loading raises many types of many packages: two are left, and they say what to do."""
    folder = Path(source)
    if not folder.exists() and (isinstance(source, Path) or folder.is_absolute()):
        raise FileNotFoundError(f"There is no folder '{source}'.")
    try:
        with _quiet_transformers():
            yield
    except OSError as error:
        if folder.is_dir():
            raise FileNotFoundError(f"The folder '{source}' holds no whole model: {_first_line(error)}") from None
        raise FileNotFoundError(
            f"'{source}' is neither a folder with a model nor in the Hugging Face cache, and the Hub was not reached. "
            "Without a network use the shipped model, load_masked_lm(); with one, check the name and "
            "the variable HF_HUB_OFFLINE."
        ) from None
    except ValueError as error:
        raise ValueError(f"'{source}' is not a masked language model: {_first_line(error)}") from None
    except Exception as error:  # safetensors has an error type of its own
        if type(error).__name__ != "SafetensorError":
            raise
        raise ValueError(f"The weights of '{source}' cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _load(source: str | Path) -> MaskedLM:
    from transformers import AutoModelForMaskedLM

    # "eager" attention is plain matmul and softmax: the graph that exporters and TensorRT know best.
    model, report = AutoModelForMaskedLM.from_pretrained(
        source, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    if report["missing_keys"]:  # transformers would fill them with random numbers
        some = ", ".join(sorted(report["missing_keys"])[:3])
        raise ValueError(f"its file has no weights for {some}.")
    return MaskedLM(model.eval(), _load_tokenizer(source), str(source))


def _load_tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
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


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars for reading one small file, and no report where an error follows."""
    from transformers.utils import logging as transformers_logging

    shown, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
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
        values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(values.numpy())
    return digest.hexdigest()[:12]


class _LogitsOnly(torch.nn.Module):
    """The model with a fixed order of inputs and one output."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, token_type_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> torch.Tensor:
        """The logits, shape (batch, sequence, words)."""
        return self.model(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask).logits


def _export(lm: MaskedLM) -> torch.onnx.ONNXProgram:
    batch = torch.export.Dim("batch", min=BATCH[0], max=BATCH[1])
    sequence = torch.export.Dim("sequence", min=SEQUENCE[0], max=longest_sequence(lm))
    # A tensor of its own for each input: the exporter takes one tensor used three times for one input.
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in INPUTS}
    dynamic = {name: {0: batch, 1: sequence} for name in INPUTS}
    return to_onnx(_LogitsOnly(lm.model), example, dynamic, ["logits"])


def longest_sequence(lm: MaskedLM) -> int:
    """The largest number of tokens in a sentence, with the two that the tokenizer adds."""
    return min(SEQUENCE[1], lm.model.config.max_position_embeddings)


def to_onnx(
    module: torch.nn.Module, example: dict[str, torch.Tensor], dynamic: dict[str, dict[int, object]], outputs: list[str]
) -> torch.onnx.ONNXProgram:
    """Export a module whose arguments are named as in ``example``, without a word from the exporter.

    Parameters:
        dynamic: for each input its dynamic axes, a ``torch.export.Dim`` each.
        outputs: what to call the outputs.
    """
    with _quiet_exporter():
        program = torch.onnx.export(
            module.eval(),
            kwargs=example,
            dynamic_shapes=dynamic,
            input_names=list(example),
            output_names=outputs,
            opset_version=20,
            dynamo=True,
            verbose=False,
        )
    for node in program.model.graph.all_nodes():  # each carries its Python stack, with this machine's paths
        node.metadata_props.clear()
        node.doc_string = None
    return program


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
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


class SentenceError(ValueError):
    """Sentences that cannot be used. ``problems`` says for each, by its index, what is wrong and what to do."""

    def __init__(self, problems: dict[int, str]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"Sentence {index}: {problem}" for index, problem in problems.items()))

    def __reduce__(self) -> tuple:
        return SentenceError, (self.problems,)


def problem_with(lm: MaskedLM, sentence: object, longest: int | None = None) -> str:
    """Why a sentence cannot be tokenised, and what to do about it; ``""`` if it can.

    Parameters:
        longest: the largest number of tokens, with the two that the tokenizer adds; default: the model's limit.
    """
    if problem := not_text(sentence, lm.tokenizer.mask_token):
        return problem
    tokens = len(lm.tokenizer(sentence, truncation=False, verbose=False)["input_ids"])
    return too_long(sentence, tokens, longest or lm.model.config.max_position_embeddings)


def not_text(sentence: object, mask: str) -> str:
    """What is wrong with a sentence before anybody counts its tokens; ``""`` if nothing is."""
    if not isinstance(sentence, str):
        return f"this is {type(sentence).__name__}, not text. Pass sentences as str."
    if not sentence.strip():
        return f"it is empty. Write one with {mask} where the word is missing."
    return ""


def too_long(sentence: str, tokens: int, longest: int) -> str:
    """What to say of a sentence with this many tokens; ``""`` if it has no more than ``longest``."""
    if tokens <= longest:
        return ""
    return f"{sentence[:30]!r}... has {tokens} tokens, at most {longest} are allowed. Shorten it, or split it."


def no_mask(sentence: str, mask: str) -> str:
    """What to say of a sentence in which no word is missing; ``""`` if one is."""
    if mask in sentence:
        return ""
    return f"it has no {mask}. Put {mask}, with brackets and capitals, where the word is missing."


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
