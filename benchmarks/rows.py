"""The rows of the table: ours, and what people use, on the same weights and threads.

A row loads once, then turns sentences into raw results, which is the part that is timed; ``answers`` brings them
into one form. ``batches`` says what batches it makes of sentences of given lengths, so that operations can be counted.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

import trt_helpers as th
from trt_helpers.decoding.buckets import make_buckets, sorted_batches
from trt_helpers.decoding.graph import POSITIONS
from trt_helpers.decoding.model import INPUTS, MODEL_FOLDER, cache_folder, load_tokenizer
from trt_helpers.decoding.tokenizer import BulkTokenizer

from .machine import cores

TOP_K = 5
LONGEST = 512
FIXED = 128  # tokens that the copied workflow pads to
# What rows with a choice may choose from: tokens in a sorted batch, sentences in one of the pipeline.
ON_GPU = th.device.type == "cuda"
SORTED_SIZES = (4096, 8192, 16384, 32768) if ON_GPU else (256, 512, 1024, 2048)
PIPELINE_SIZES = (8, 32, 64, 128) if ON_GPU else (4, 8, 16, 32)


class Row:
    """One way to fill in masked words.

    Attributes:
        title: what the table calls it.
        slow: runs on a tenth of the sentences.
        sizes: batch sizes to choose from; the fastest of them is used. Empty: there is nothing to choose.
        graph: whose operations it carries out, ``"logits"`` or ``"decoder"``.
        exact: whether the same answers are demanded of it.
    """

    title = ""
    slow = False
    sizes: tuple[int, ...] = ()
    graph = "logits"
    exact = True

    def __init__(self) -> None:
        self.size = self.sizes[0] if self.sizes else 1

    def load(self) -> None:
        """Everything that happens once. Files that it needs are made by ``prepare``."""

    def run(self, sentences: list[str]) -> object:
        """Raw results for sentences with one mask each."""
        raise NotImplementedError

    def answers(self, raw: object) -> list[list[tuple[int, float]]]:
        """For each sentence (token id, probability) pairs, the likeliest first."""
        return raw

    def batches(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Sentences and tokens of each batch, padding included; by default sorted batches of ``size`` tokens."""
        for rows in _sorted(lengths, self.size):
            yield len(rows), max(lengths[i] for i in rows)


def _sorted(lengths: Sequence[int], tokens: int) -> Iterator[np.ndarray]:
    """The same batches for every row that sorts."""
    for _, rows in sorted_batches(lengths, [1] * len(lengths), make_buckets(LONGEST, tokens), tokens):
        yield rows


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    return options


def _providers() -> list[str]:
    return ["CUDAExecutionProvider"] * (th.device.type == "cuda") + ["CPUExecutionProvider"]


# ---- ours ---------------------------------------------------------------------------------------------------------


class Decoder(Row):
    """``MaskedWordDecoder``, from a plan that is already built."""

    title = "`MaskedWordDecoder`"
    graph = "decoder"

    def __init__(self) -> None:
        super().__init__()
        from trt_helpers.decoding.decoder import TOKENS

        self.size = TOKENS[th.device.type]

    def load(self) -> None:
        """Read the plan; its tokenizer turns words into ids again."""
        self.decoder = th.MaskedWordDecoder.from_plan(files()["plan"])
        self._ids = load_tokenizer().get_vocab()

    def run(self, sentences: list[str]) -> list[th.Filled]:
        """Two lines for a user."""
        return self.decoder(sentences, TOP_K, progress=False)

    def answers(self, raw: list[th.Filled]) -> list[list[tuple[int, float]]]:
        """Words to ids."""
        return [[(self._ids[c.word], c.probability) for c in filled.candidates[0]] for filled in raw]


class Int8(Row):
    """The same graph with 8-bit products, by ONNX Runtime's own quantiser: weights with a scale for each 16 of them.

    Activations are quantised in the same blocks, when they are met. Not in an engine: these are ONNX Runtime's
    own operators, which TensorRT's parser refuses.
    """

    title = "INT8 in blocks of 16, ONNX Runtime"
    graph = "decoder"
    exact = False
    sizes = (1024, 4096)
    file = "int8"

    def load(self) -> None:
        """ONNX Runtime on the quantised file, with the batching of ours."""
        self._session = ort.InferenceSession(files()[self.file], _options(), providers=["CPUExecutionProvider"])
        self._tokenizer = BulkTokenizer(load_tokenizer(), LONGEST)

    def run(self, sentences: list[str]) -> list[list[tuple[int, float]]]:
        """Sorted batches."""
        _, ids = self._tokenizer.problems_and_ids(sentences)
        found: list = [None] * len(sentences)
        for rows in _sorted([len(row) for row in ids], self.size):
            feeds = _padded([ids[i] for i in rows], self._tokenizer.pad_id)
            feeds[POSITIONS] = np.argwhere(feeds["input_ids"] == self._tokenizer.mask_id)
            top, probabilities = self._session.run(None, feeds)
            top, probabilities = top[:, :TOP_K].tolist(), probabilities[:, :TOP_K].tolist()
            for i, words, chances in zip(rows, top, probabilities, strict=True):
                found[i] = list(zip(words, chances, strict=True))
        return found


class Int8PerTensor(Int8):
    """The same, with one scale for all activations of a batch: less work, and less exact."""

    title = "INT8 with one scale a tensor, ONNX Runtime"
    file = "int8 per tensor"


def _padded(ids: list[list[int]], pad: int) -> dict[str, np.ndarray]:
    longest = max(map(len, ids))
    padded = np.array([row + [pad] * (longest - len(row)) for row in ids])
    used = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    return dict(zip(INPUTS, (padded, np.zeros_like(padded), used), strict=True))


# ---- what people use ---------------------------------------------------------------------------------------------


class Pipeline(Row):
    """``pipeline("fill-mask")`` as its documentation shows it."""

    title = '`pipeline("fill-mask")`, default'
    slow = True

    def load(self) -> None:
        """The model in float32."""
        from transformers import pipeline

        where = MODEL_FOLDER.as_posix()
        self._pipeline = pipeline("fill-mask", model=where, dtype=torch.float32, device=th.device, top_k=TOP_K)

    def run(self, sentences: list[str]) -> list[list[dict]]:
        """A list goes in; with batch size 1 it is done one by one."""
        return self._pipeline(sentences, batch_size=self.size)

    def answers(self, raw: list[list[dict]]) -> list[list[tuple[int, float]]]:
        """Its dictionaries hold the ids."""
        return [[(found["token"], found["score"]) for found in sentence] for sentence in raw]

    def batches(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Sentences in the order they come."""
        for start in range(0, len(lengths), self.size):
            part = lengths[start : start + self.size]
            yield len(part), max(part)


class BatchedPipeline(Pipeline):
    """The same, with the batch size that is best for it here."""

    title = '`pipeline("fill-mask")`, best batch size'
    sizes = PIPELINE_SIZES


class Eager(Row):
    """PyTorch, batches of sorted sentences, the scores of every word at every token."""

    title = "PyTorch eager, sorted batches"
    sizes = SORTED_SIZES

    def load(self) -> None:
        """The model as transformers loads it, in float32."""
        from transformers import AutoModelForMaskedLM

        self._tokenizer = load_tokenizer()
        model = AutoModelForMaskedLM.from_pretrained(MODEL_FOLDER, dtype=torch.float32)
        self._model = model.eval().to(th.device)

    def run(self, sentences: list[str]) -> list[list[tuple[int, float]]]:
        """Tokenise all, sort, pad, run."""
        return _sorted_full_logits(self._tokenizer, sentences, self.size, self._logits)

    @torch.inference_mode()
    def _logits(self, inputs: dict[str, torch.Tensor], masked: torch.Tensor) -> torch.Tensor:
        inputs = {name: tensor.to(th.device) for name, tensor in inputs.items()}
        return self._model(**inputs).logits[masked.to(th.device)]


class OnnxRuntime(Row):
    """ONNX Runtime without an engine around it, sorted batches, the scores of every word at every token."""

    title = "ONNX Runtime, sorted batches"
    sizes = SORTED_SIZES

    def load(self) -> None:
        """A session with its defaults, on the file that ``export_onnx`` wrote."""
        self._tokenizer = load_tokenizer()
        self._session = ort.InferenceSession(files()["logits"], _options(), providers=_providers())

    def run(self, sentences: list[str]) -> list[list[tuple[int, float]]]:
        """Tokenise all, sort, pad, run."""
        return _sorted_full_logits(self._tokenizer, sentences, self.size, self._logits)

    def _logits(self, inputs: dict[str, torch.Tensor], masked: torch.Tensor) -> torch.Tensor:
        (logits,) = self._session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        return torch.from_numpy(logits)[masked]


def _sorted_full_logits(tokenizer, sentences: list[str], tokens: int, logits) -> list[list[tuple[int, float]]]:
    """What the two rows above share: everything but the model."""
    encoded = tokenizer(sentences)["input_ids"]
    found: list = [None] * len(sentences)
    for rows in _sorted([len(ids) for ids in encoded], tokens):
        inputs = tokenizer.pad({"input_ids": [encoded[i] for i in rows]}, return_tensors="pt")
        inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
        masked = inputs["input_ids"] == tokenizer.mask_token_id
        top = logits({name: inputs[name] for name in INPUTS}, masked).softmax(dim=-1).topk(TOP_K)
        for i, words, chances in zip(rows, top.indices.tolist(), top.values.tolist(), strict=True):
            found[i] = list(zip(words, chances, strict=True))
    return found


class Copied(Row):
    """The workflow that people copy: every sentence by itself, padded to 128 tokens, all scores out of the engine."""

    title = "copied workflow: one by one, padded to 128"
    slow = True

    def load(self) -> None:
        """An engine of the model with one profile."""
        self._tokenizer = load_tokenizer()
        self._context = th.load_engine(files()["fixed plan"]).create_execution_context()

    def run(self, sentences: list[str]) -> list[list[tuple[int, float]]]:
        """Tokenise, run, find the mask, take the best."""
        found = []
        for sentence in sentences:
            encoded = self._tokenizer(sentence, padding="max_length", max_length=FIXED, return_tensors="pt")
            inputs = {name: encoded[name].to(th.device) for name in INPUTS}
            logits = th.infer(self._context, inputs)["logits"]
            place = (inputs["input_ids"][0] == self._tokenizer.mask_token_id).nonzero()[0, 0]
            top = logits[0, place].softmax(dim=-1).topk(TOP_K)
            found.append(list(zip(top.indices.tolist(), top.values.tolist(), strict=True)))
        return found

    def batches(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Always the same."""
        for _ in lengths:
            yield 1, FIXED


ROWS = {
    row.__name__: row for row in (Decoder, OnnxRuntime, Eager, BatchedPipeline, Pipeline, Copied, Int8, Int8PerTensor)
}


def rows_here() -> list[str]:
    """The rows that this machine can run: ONNX Runtime's quantised operators are for the CPU."""
    return [name for name, row in ROWS.items() if row.exact or th.device.type == "cpu"]


# ---- files ----------------------------------------------------------------------------------------------------------


def files() -> dict[str, Path]:
    """The files that rows load. ``prepare`` makes them, once; each is found by its model's fingerprint again."""
    folder = cache_folder() / "benchmarks"
    names = {"logits": "logits.onnx", "decoder": "decoder.onnx", "int8": "int8.onnx"}
    names["int8 per tensor"] = "int8-per-tensor.onnx"
    names |= {"plan": "decoder.plan", "fixed plan": "fixed.plan"}
    return {kind: folder / name for kind, name in names.items()}


def prepare() -> None:
    """Export, build and quantise, in the version that is measured."""
    lm, made = th.load_masked_lm(), files()
    made["plan"].parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(th.export_onnx(lm), made["logits"])
    shutil.copyfile(th.export_decoder(lm), made["decoder"])
    shutil.copyfile(th.MaskedWordDecoder.from_pretrained().plan, made["plan"])
    fixed = th.Profile.same(INPUTS, (1, FIXED), (1, FIXED), (1, FIXED))
    th.save_plan(th.build_plan(made["logits"], fixed, progress=False), made["fixed plan"])
    if "Int8" in rows_here():
        _quantise(made["decoder"], made["int8"], made["int8 per tensor"])


def _quantise(source: Path, in_blocks: Path, per_tensor: Path) -> None:
    """ONNX Runtime's two quantisers for weights and dynamic activations."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    model = onnx.load(source)
    _gemm_to_matmul(model.graph)
    # Level 4: products of 8-bit integers. The lower levels would turn the weights back into floats.
    quantiser = MatMulNBitsQuantizer(model, bits=8, block_size=16, is_symmetric=True, accuracy_level=4)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # a line for each node
    try:
        quantiser.process()
        quantiser.model.save_model_to_file(in_blocks.as_posix())
        model = onnx.load(source)
        _gemm_to_matmul(model.graph)
        quantize_dynamic(
            model, per_tensor, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"]
        )
    finally:
        logging.disable(before)


def _gemm_to_matmul(graph: onnx.GraphProto) -> None:
    """The quantiser's own way to do this transposes weights and leaves their old shapes in the graph."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "Gemm":
            nodes.append(node)
            continue
        source, weight, bias = node.input
        if any(a.name == "transB" and a.i for a in node.attribute):
            values = onnx.numpy_helper.to_array(weights[weight]).T
            weight = f"{node.name}_weight"
            graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), weight))
        product = f"{node.output[0]}_product"
        nodes.append(onnx.helper.make_node("MatMul", [source, weight], [product], f"{node.name}_product"))
        nodes.append(onnx.helper.make_node("Add", [product, bias], list(node.output), f"{node.name}_sum"))
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    for field, values in ((graph.node, nodes), (graph.initializer, kept)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)
    del graph.value_info[:]
