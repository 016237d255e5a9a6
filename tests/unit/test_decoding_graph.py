import os

import onnx
import pytest
import torch

import trt_helpers as th
from trt_helpers.decoding import graph as decoding_graph
from trt_helpers.decoding.buckets import make_buckets
from trt_helpers.decoding.graph import WordsAtMasks
from trt_helpers.decoding.model import INPUTS

TOLERANCE = 1e-5 if th.device.type == "cpu" else 5e-3
PLACES = torch.tensor([[2, 3], [0, 1], [0, 7], [0, 2], [1, 11]])  # several in a row, and not in the rows' order


def three_inputs() -> dict[str, torch.Tensor]:
    """Three sentences of 12, 10 and 8 tokens, in two segments each."""
    ids = torch.randint(5, 20, (3, 12), generator=torch.Generator().manual_seed(3))
    used = (torch.arange(12) < torch.tensor([[12], [10], [8]])).long()
    return dict(zip(INPUTS, (ids, (torch.arange(12) > 5).long().expand(3, 12).contiguous(), used), strict=True))


def expected(model: torch.nn.Module, inputs: dict[str, torch.Tensor], places: torch.Tensor):
    with torch.no_grad():
        logits = model(**inputs).logits[places[:, 0], places[:, 1]]
    return logits.softmax(dim=-1).topk(logits.shape[-1])


@pytest.fixture(scope="module")
def onnx_file(tiny_bert):
    return th.export_decoder(tiny_bert.lm)


def test_graph_has_the_promised_inputs_and_outputs(onnx_file):
    graph = onnx.load(onnx_file).graph
    dims = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.input}
    assert dims == {**dict.fromkeys(INPUTS, ["batch", "sequence"]), "mask_positions": ["masks", 2]}
    assert {v.type.tensor_type.elem_type for v in graph.input} == {onnx.TensorProto.INT64}
    outputs = {v.name: (v.type.tensor_type.elem_type, v.type.tensor_type.shape.dim[0].dim_param) for v in graph.output}
    assert outputs == {
        "top_ids": (onnx.TensorProto.INT64, "masks"),
        "top_probabilities": (onnx.TensorProto.FLOAT, "masks"),
    }


def test_graph_is_plain_onnx_without_paths_of_this_machine(onnx_file):
    model = onnx.load(onnx_file)
    assert {(o.domain, o.version) for o in model.opset_import} == {("", 20)}
    assert {node.domain for node in model.graph.node} == {""}
    assert b".py" not in onnx_file.read_bytes() and os.fsencode(os.getcwd()) not in onnx_file.read_bytes()


def test_engine_agrees_with_pytorch_for_every_word(tiny_bert, onnx_file):
    plan = th.build_plan(onnx_file, [bucket.profile() for bucket in make_buckets(64, 256)])
    context = th.load_engine(plan).create_execution_context()
    inputs = {**three_inputs(), "mask_positions": PLACES}
    answers = th.infer(context, {name: tensor.to(th.device) for name, tensor in inputs.items()})
    probabilities, ids = expected(tiny_bert.lm.model, three_inputs(), PLACES)
    assert answers["top_ids"].tolist() == ids.tolist()
    torch.testing.assert_close(answers["top_probabilities"].cpu(), probabilities, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_is_really_used(tiny_bert, name):
    graph, inputs = WordsAtMasks(tiny_bert.lm.model), three_inputs()
    changed = {**inputs, name: torch.full_like(inputs[name], 1)}
    with torch.no_grad():
        before, after = graph(**inputs, mask_positions=PLACES), graph(**changed, mask_positions=PLACES)
    assert (before[1] - after[1]).abs().max() > 1e-3
    probabilities, ids = expected(tiny_bert.lm.model, changed, PLACES)
    assert after[0].tolist() == ids.tolist()
    torch.testing.assert_close(after[1], probabilities)


def test_another_architecture_gives_the_same_answers_with_more_work():
    from transformers import ElectraConfig, ElectraForMaskedLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "embedding_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = ElectraForMaskedLM(ElectraConfig(vocab_size=40, intermediate_size=32, initializer_range=0.5, **sizes))
    with torch.no_grad():
        found_ids, found = WordsAtMasks(model.eval())(**three_inputs(), mask_positions=PLACES)
    probabilities, ids = expected(model, three_inputs(), PLACES)
    assert found.shape == (5, 32)
    assert found_ids.tolist() == ids[:, :32].tolist()
    torch.testing.assert_close(found, probabilities[:, :32])


def test_second_export_comes_from_the_cache(tiny_bert, onnx_file, monkeypatch):
    def forbidden(_):
        raise AssertionError("exported again")

    monkeypatch.setattr(decoding_graph, "_export", forbidden)
    assert th.export_decoder(tiny_bert.lm) == onnx_file
    assert th.export_onnx(tiny_bert.lm) != onnx_file
