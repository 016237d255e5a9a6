"""ONNX files of any version, as ONNX Runtime reads them: NVIDIA's parser takes older and newer ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, version_converter

# ONNX Runtime's operators begin here, and so does its symbolic shape inference.
OLDEST_OPSET = 7
_STANDARD = ("", "ai.onnx")


def readable(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model in versions that ONNX Runtime reads; itself, where that is all there is to it.

    ``onnx.helper.make_model`` writes the newest versions there are, which ONNX Runtime learns a release later. The IR
    version can simply be lowered: newer ones add things, and what is not used needs none of them. Operators of an opset
    that ONNX Runtime lacks are converted by ONNX's own converter, where it can.
    """
    opset = max((entry.version for entry in model.opset_import if entry.domain in _STANDARD), default=OLDEST_OPSET)
    wanted = min(max(opset, OLDEST_OPSET), _newest_opset())
    if wanted != opset:
        try:
            model = version_converter.convert_version(model, wanted)
        except Exception:  # no adapter for one of its operators: ONNX Runtime says later what it lacks
            pass
    if model.ir_version > _newest_ir_version():
        model.ir_version = _newest_ir_version()
    return model


@cache
def _newest_ir_version() -> int:
    return _newest(_with_versions(ir=version) for version in range(onnx.IR_VERSION, 8, -1)).ir_version


@cache
def _newest_opset() -> int:
    newest = onnx.defs.onnx_opset_version()
    return _newest(_with_versions(opset=version) for version in range(newest, 17, -1)).opset_import[0].version


def _newest(models: Iterable[onnx.ModelProto]) -> onnx.ModelProto:
    """The first one that ONNX Runtime loads. It does not tell its limits, but in the text of an error."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    for model in models:
        try:
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception:
            continue
        return model
    raise RuntimeError("ONNX Runtime loads no version of ONNX that this package writes")


def _with_versions(ir: int = 8, opset: int = 17) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
