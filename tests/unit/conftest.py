"""Small models for the unit tests: a few with one or two nodes, and a BERT so tiny that its export takes seconds."""

from pathlib import Path
from types import SimpleNamespace

import onnx.parser
import pytest
import torch

import trt_helpers as th
from trt_helpers.decoding import model as masked_lm

HEADER = '<ir_version: 9, opset_import: ["" : 20]>'
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] paris is the capital of france language word a b c d e . ,".split()


def parse(graph: str) -> bytes:
    """ONNX's text form to the bytes of a model."""
    return onnx.parser.parse_model(f"{HEADER} {graph}").SerializeToString()


@pytest.fixture(scope="session")
def adder() -> bytes:
    """y = 2 x + w: two inputs that share both dimension names."""
    return parse(
        "adder (float[batch,seq] x, float[batch,seq] w) => (float[batch,seq] y) { d = Add(x, x) y = Add(d, w) }"
    )


@pytest.fixture(scope="session")
def adder_plan(adder):
    return th.build_plan(adder, th.Profile.same(("x", "w"), (0, 4), (2, 8), (8, 16)))


@pytest.fixture(scope="session")
def adder_engine(adder_plan):
    return th.load_engine(adder_plan)


@pytest.fixture
def context(adder_engine):
    return adder_engine.create_execution_context()


@pytest.fixture(scope="session")
def lookup_engine():
    """y = table[ids], a table of 4 rows: an id outside it fails while the work runs, not before."""
    model = parse(
        "lookup (int64[n] ids) => (float[n] y) <float[4] table = {0., 10., 20., 30.}> { y = Gather(table, ids) }"
    )
    return th.load_engine(th.build_plan(model, th.Profile(ids=((1,), (4,), (8,)))))


@pytest.fixture(autouse=True)
def empty_log():
    th.logger.clear()
    yield
    assert th.logger.show == th.logger.Severity.WARNING, "a test left the logger silenced"


# Asked before the fixture below changes it: where lessons keep what they have exported.
USERS_CACHE = masked_lm.cache_folder()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of our own: the tests neither find nor leave anything in the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRT_HELPERS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_bert_folder(tmp_path_factory) -> Path:
    """A masked language model with random weights and 20 words, as a Hugging Face folder."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny-bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    # A large range, so that the effect of each input is far above rounding.
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, initializer_range=0.5, **sizes)
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tiny_bert_folder):
    """The tiny BERT all the way: ``lm``, ``onnx`` (a file), ``plan`` and ``engine``. Its export is in the cache."""
    lm = th.load_masked_lm(tiny_bert_folder)
    path = th.export_onnx(lm)
    plan = th.build_plan(path, th.Profile.same(masked_lm.INPUTS, (1, 4), (2, 16), (4, 64)))
    return SimpleNamespace(lm=lm, onnx=path, plan=plan, engine=th.load_engine(plan))


@pytest.fixture(scope="session")
def shipped():
    """The course's own model: ``lm`` and ``onnx``, whose export takes long and is shared with the lessons."""
    lm = th.load_masked_lm()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRT_HELPERS_CACHE", str(USERS_CACHE))
        return SimpleNamespace(lm=lm, onnx=th.export_onnx(lm))
