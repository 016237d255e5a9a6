import json
import os
import shutil
from pathlib import Path

import onnx
import pytest
import torch

import trt_helpers as th
from trt_helpers.decoding import model as masked_lm

# Largest difference allowed between PyTorch and the engine. On the CPU both compute in float32 (seen: 3e-6);
# on a GPU TensorRT may use TF32, with 10 bits of mantissa.
TOLERANCE = 1e-4 if th.device.type == "cpu" else 2e-2
SENTENCES = ["Paris is the [MASK] of France.", "the [MASK] word is a language", "a, b, c, [MASK] , e", "[MASK]."]


def run(engine, inputs):
    context = engine.create_execution_context()
    return th.infer(context, {name: tensor.to(th.device) for name, tensor in inputs.items()})["logits"].cpu()


def run_pytorch(lm, inputs):
    with torch.no_grad():
        return lm.model(**inputs).logits


def three_different_inputs(rows: int = 3, length: int = 12) -> dict[str, torch.Tensor]:
    """Ids, segments and a mask that have nothing in common: mixing two of them up cannot go unnoticed."""
    generator = torch.Generator().manual_seed(1)
    token_type_ids = torch.zeros(rows, length, dtype=torch.int64)
    token_type_ids[:, length // 2 :] = 1
    attention_mask = torch.ones(rows, length, dtype=torch.int64)
    for row in range(rows):
        attention_mask[row, length - 1 - row :] = 0
    ids = torch.randint(5, 20, (rows, length), generator=generator)
    return {"input_ids": ids, "token_type_ids": token_type_ids, "attention_mask": attention_mask}


# ---- export ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 4), (3, 12), (4, 64)])
def test_engine_agrees_with_pytorch(tiny_bert, shape):
    inputs = three_different_inputs(*shape)
    torch.testing.assert_close(run(tiny_bert.engine, inputs), run_pytorch(tiny_bert.lm, inputs), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", masked_lm.INPUTS)
def test_every_input_is_really_used(tiny_bert, name):
    inputs = three_different_inputs()
    plain = {
        "input_ids": inputs["input_ids"].flip(1),
        "token_type_ids": torch.zeros_like(inputs["token_type_ids"]),
        "attention_mask": torch.ones_like(inputs["attention_mask"]),
    }
    changed = {**inputs, name: plain[name]}
    before, after = run(tiny_bert.engine, inputs), run(tiny_bert.engine, changed)
    assert (after - before).abs().max() > 100 * TOLERANCE
    torch.testing.assert_close(after, run_pytorch(tiny_bert.lm, changed), atol=TOLERANCE, rtol=0)


def test_graph_has_the_promised_inputs_and_output(tiny_bert):
    graph = onnx.load(tiny_bert.onnx).graph
    for value in graph.input:
        assert value.type.tensor_type.elem_type == onnx.TensorProto.INT64
        assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["batch", "sequence"]
    assert [value.name for value in graph.input] == list(masked_lm.INPUTS)
    (output,) = graph.output
    assert (output.name, output.type.tensor_type.elem_type) == ("logits", onnx.TensorProto.FLOAT)
    assert [dim.dim_param for dim in output.type.tensor_type.shape.dim][:2] == ["batch", "sequence"]


def test_neither_onnx_file_nor_plan_carries_paths_of_this_machine(tiny_bert):
    package = Path(th.__file__).parent
    for content in (tiny_bert.onnx.read_bytes(), bytes(tiny_bert.plan)):
        for path in (package, package.parent, Path.home(), Path(torch.__file__).parent, tiny_bert.onnx.parent):
            assert os.fsencode(path) + b"/" not in content
        assert b".py" not in content


def test_second_export_comes_from_the_cache(tiny_bert, cache, monkeypatch):
    def forbidden(_):
        raise AssertionError("exported again")

    monkeypatch.setattr(masked_lm, "_export", forbidden)
    assert th.export_onnx(tiny_bert.lm) == tiny_bert.onnx
    assert tiny_bert.onnx.parent == cache


def test_another_model_gets_another_file(tiny_bert, tiny_bert_folder, monkeypatch):
    class Exported(Exception):
        pass

    def export(_):
        raise Exported

    monkeypatch.setattr(masked_lm, "_export", export)
    changed = th.load_masked_lm(tiny_bert_folder)
    with torch.no_grad():
        changed.model.bert.embeddings.word_embeddings.weight[19, 15] += 1e-3  # one number of one word
    with pytest.raises(Exported):
        th.export_onnx(changed)


def test_a_failed_export_leaves_no_file(tiny_bert, tmp_path, monkeypatch):
    class Program:
        def save(self, path, **_):
            Path(path).write_bytes(b"half a file")
            raise OSError("No space left on device")

    monkeypatch.setattr(masked_lm, "_export", lambda _: Program())
    with pytest.raises(OSError, match="No space left"):
        th.export_onnx(tiny_bert.lm, tmp_path / "m.onnx")
    assert os.listdir(tmp_path) == []


# ---- load_masked_lm -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tiny_bert_folder, tmp_path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_bert_folder, tmp_path / "copy"))


def test_model_is_ready_to_use(tiny_bert_folder):
    lm = th.load_masked_lm(str(tiny_bert_folder))
    assert lm.source == str(tiny_bert_folder)
    assert not lm.model.training
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}
    assert {p.device.type for p in lm.model.parameters()} == {"cpu"}


def test_hub_name_without_a_network_says_what_to_do():
    with pytest.raises(FileNotFoundError) as caught:
        th.load_masked_lm("nobody/no-such-model")
    says = str(caught.value)
    assert "'nobody/no-such-model' is neither a folder with a model nor in the Hugging Face cache" in says
    assert "use the shipped model, load_masked_lm()" in says and "HF_HUB_OFFLINE" in says


@pytest.mark.parametrize("as_type", [str, Path])
def test_missing_folder(tmp_path, as_type):
    with pytest.raises(FileNotFoundError, match="There is no folder .*no-model"):
        th.load_masked_lm(as_type(tmp_path / "no-model"))


@pytest.mark.parametrize(
    ("damage", "error", "clause"),
    [
        (lambda f: (f / "model.safetensors").unlink(), FileNotFoundError, "holds no whole model: Error no file named"),
        (lambda f: (f / "config.json").write_text("{"), FileNotFoundError, "is not a valid JSON file"),
        (lambda f: (f / "config.json").unlink(), ValueError, "is not a masked language model"),
        (
            lambda f: (f / "config.json").write_text(json.dumps({"model_type": "gpt2"})),
            ValueError,
            "is not a masked language model",
        ),
        (lambda f: (f / "model.safetensors").write_bytes(b"version https://git-lfs"), ValueError, "The weights of"),
        (lambda f: [(f / n).unlink() for n in ("tokenizer.json", "vocab.txt")], ValueError, "it has no vocabulary"),
    ],
)
def test_broken_folder_is_named_with_what_is_wrong(folder, damage, error, clause):
    damage(folder)
    with pytest.raises(error) as caught:
        th.load_masked_lm(folder)
    assert str(folder) in str(caught.value) and clause in str(caught.value)


def test_a_model_without_the_head_that_guesses_words_is_refused(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(
        {n: w for n, w in weights.items() if not n.startswith("cls.")}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ValueError, match="is not a masked language model: its file has no weights for cls.predictions"):
        th.load_masked_lm(folder)


# ---- words in, words out ----------------------------------------------------------------------------------------


def test_tokenize_pads_to_the_longest(tiny_bert):
    inputs = th.tokenize(tiny_bert.lm, SENTENCES)
    assert list(inputs) == list(masked_lm.INPUTS)
    assert {t.dtype for t in inputs.values()} == {torch.int64}
    assert len({t.shape for t in inputs.values()}) == 1 and inputs["input_ids"].shape[0] == 4
    assert inputs["attention_mask"][0].sum() < inputs["attention_mask"].shape[1] or inputs["attention_mask"][2].all()
    torch.testing.assert_close((inputs["input_ids"] != 0).long(), inputs["attention_mask"])


def test_tokenize_one_sentence_and_options(tiny_bert):
    assert th.tokenize(tiny_bert.lm, SENTENCES[0])["input_ids"].shape == (1, 9)
    fixed = th.tokenize(tiny_bert.lm, SENTENCES[0], padding="max_length", max_length=20)
    assert fixed["input_ids"].shape == (1, 20)


def test_find_masks(tiny_bert):
    ids = th.tokenize(tiny_bert.lm, [*SENTENCES, "no word", "[MASK] [MASK]"])["input_ids"]
    assert th.find_masks(tiny_bert.lm, ids) == [(0, 4), (1, 2), (2, 7), (3, 1), (5, 1), (5, 2)]
    assert th.find_masks(tiny_bert.lm, ids[4:5]) == []


def test_decode_top_k(tiny_bert):
    logits = torch.zeros(20)
    logits[8], logits[9] = 5.0, 4.0
    first, second = th.decode_top_k(tiny_bert.lm, logits, k=2)
    assert (first.word, second.word) == ("capital", "of")
    expected = logits.softmax(0)
    assert (first.probability, second.probability) == pytest.approx((float(expected[8]), float(expected[9])))


def test_decode_all_words_from_half_precision(tiny_bert):
    candidates = th.decode_top_k(tiny_bert.lm, torch.arange(20).half(), k=20)
    assert [c.word for c in candidates][:2] == [",", "."]
    assert sum(c.probability for c in candidates) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("shape", "k"), [((2, 20), 5), ((), 1), ((20,), 21), ((20,), 0)])
def test_decode_refuses(tiny_bert, shape, k):
    with pytest.raises(ValueError, match="the scores of one position"):
        th.decode_top_k(tiny_bert.lm, torch.zeros(shape), k=k)


def test_from_sentence_to_word(tiny_bert):
    inputs = th.tokenize(tiny_bert.lm, SENTENCES)
    logits, expected = run(tiny_bert.engine, inputs), run_pytorch(tiny_bert.lm, inputs)
    for row, position in th.find_masks(tiny_bert.lm, inputs["input_ids"]):
        ours, theirs = (th.decode_top_k(tiny_bert.lm, scores[row, position]) for scores in (logits, expected))
        assert [c.word for c in ours] == [c.word for c in theirs]
