import onnx
import onnx.parser
import pytest

import trt_helpers as th
from benchmarks.operations import OperationCounter

HEAD = '<ir_version: 9, opset_import: ["" : 20]>'


def model(graph: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD} {graph}")


def test_a_product_counts_two_operations_for_each_term():
    graph = "g (float[batch,5] x) => (float[batch,7] y) <float[5,7] w = {}> {{ y = MatMul(x, w) }}"
    counter = OperationCounter(model(graph.format(zeros(35))))
    assert counter(batch=3) == 2 * 3 * 5 * 7
    assert counter(batch=1) == 2 * 5 * 7


def zeros(count: int) -> str:
    return "{" + ",".join(["0"] * count) + "}"


def test_gemm_counts_the_summed_dimension_of_its_first_factor():
    graph = "g (float[6,masks] x) => (float[masks,4] y) <float[4,6] w = {}> {{ y = Gemm<transA=1, transB=1>(x, w) }}"
    assert OperationCounter(model(graph.format(zeros(24))))(masks=10) == 2 * 10 * 4 * 6


def test_names_may_be_multiplied_and_other_operators_count_nothing():
    graph = """g (float[batch,sequence,4] x, int64[2] shape) => (float[tokens,4] z)
        <float["batch*sequence",4] flat, float["batch*sequence",4] y, float[4,4] w = {}>
        {{ flat = Reshape(x, shape) y = MatMul(flat, w) z = Relu(y) }}"""
    made = model(graph.format(zeros(16)).replace('"batch*sequence"', "tokens"))
    for value in made.graph.value_info:
        if value.name in ("flat", "y"):
            value.type.tensor_type.shape.dim[0].dim_param = "batch*sequence"
    assert OperationCounter(made)(batch=3, sequence=5) == 2 * 15 * 4 * 4


def test_a_product_of_unknown_shape_is_not_passed_over():
    graph = "g (float[n,4] x, float[4,4] w) => (float[n,4] z) { y = MatMul(x, w) z = Relu(y) }"
    with pytest.raises(ValueError, match="does not say the shapes of MatMul"):
        OperationCounter(model(graph))


def test_a_dimension_without_a_size_is_an_error():
    graph = "g (float[n,4] x, float[4,4] w) => (float[n,4] z) { z = MatMul(x, w) }"
    with pytest.raises(KeyError, match="n"):
        OperationCounter(model(graph))(batch=3)


@pytest.mark.slow
def test_the_shipped_models_graphs_take_what_their_layers_add_up_to():
    lm = th.load_masked_lm()
    logits, decoder = OperationCounter(th.export_onnx(lm)), OperationCounter(th.export_decoder(lm))
    hidden, inner, words, layers = 384, 1536, 30522, 6
    rows, tokens = 5, 20
    whole_layer = 2 * rows * tokens * (4 * hidden**2 + 2 * hidden * inner) + 4 * rows * tokens**2 * hidden
    head = 2 * (hidden**2 + hidden * words)
    assert logits(batch=rows, sequence=tokens) == layers * whole_layer + rows * tokens * head
    # The last layer: keys and values of all tokens; everything else, and the head, of the masks alone.
    last = 2 * rows * tokens * 2 * hidden**2 + 7 * (2 * (2 * hidden**2 + 2 * hidden * inner) + 4 * tokens * hidden)
    assert decoder(batch=rows, sequence=tokens, masks=7) == (layers - 1) * whole_layer + last + 7 * head
