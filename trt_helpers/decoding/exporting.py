"""A PyTorch module to an ONNX graph: nothing is printed, and nothing of this machine is in it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class LogitsOnly(nn.Module):
    """A model of transformers with a fixed order of inputs and one output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The logits, shape (batch, sequence, words)."""
        return self.model(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask).logits


def to_onnx(
    module: nn.Module, example: dict[str, Tensor], dynamic: dict[str, dict[int, object]], outputs: list[str]
) -> torch.onnx.ONNXProgram:
    """Export a module whose arguments are named as in ``example``.

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


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of names that it will not use, and that torchvision is not installed; neither is news here."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        log.setLevel(level)
