"""Small objects that an engine hands out: they are set, read back, and change nothing here."""

from __future__ import annotations

import json

import tensorrt_rtx as rtx

from .arguments import checked
from .facade import NotConstructible, Setting, WithErrorRecorder, made
from .model import Engine
from .neutral import NeutralRuntimeConfig
from .reporting import Log

Strategy = rtx.ExecutionContextAllocationStrategy


class IRuntimeConfig(NeutralRuntimeConfig, NotConstructible):
    """Stand-in for ``tensorrt.IRuntimeConfig``, made by ``engine.create_runtime_config()``."""

    @checked
    def set_execution_context_allocation_strategy(
        self, strategy: rtx.ExecutionContextAllocationStrategy = Strategy.STATIC
    ) -> None:
        """Who provides a context's activation memory, and when."""
        self._strategy = strategy

    def get_execution_context_allocation_strategy(self) -> Strategy:
        """The strategy that was set; STATIC at first."""
        return self._strategy


class ISerializationConfig(NotConstructible):
    """Stand-in for ``tensorrt.ISerializationConfig``: flags that a plan of this lane has no use for."""

    flags = Setting("int", 0, "A bit mask, ``1 << int(flag)``.")

    @checked
    def set_flag(self, flag: rtx.SerializationFlag) -> bool:
        """Set one flag; True."""
        self.flags |= 1 << int(flag)
        return True

    @checked
    def clear_flag(self, flag: rtx.SerializationFlag) -> bool:
        """Clear one flag; True."""
        self.flags &= ~(1 << int(flag))
        return True

    @checked
    def get_flag(self, flag: rtx.SerializationFlag) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & 1 << int(flag))


class EngineInspector(WithErrorRecorder, NotConstructible):
    """Stand-in for ``tensorrt.EngineInspector``: names the nodes of the ONNX graph, as there are no fused layers."""

    execution_context = Setting(
        "rtx.IExecutionContext", None, "Accepted; nothing here depends on the shapes of a context."
    )

    @checked
    def get_layer_information(self, layer_index: int, format: rtx.LayerInformationFormat) -> str:  # noqa: A002
        """The name of one node, as text or as JSON; ``""`` and an ERROR if there is none."""
        layers = self._model.output_shapes.layers
        if not 0 <= layer_index < len(layers):
            self._log.error("layer_index_out_of_range", index=layer_index, count=len(layers))
            return ""
        name = layers[layer_index]
        return json.dumps(name) if format == rtx.LayerInformationFormat.JSON else name + "\n"

    @checked
    def get_engine_information(self, format: rtx.LayerInformationFormat) -> str:  # noqa: A002
        """The names of all nodes and I/O tensors, as text or as JSON."""
        layers, bindings = self._model.output_shapes.layers, self._model.names
        if format == rtx.LayerInformationFormat.JSON:
            return json.dumps({"Layers": layers, "Bindings": bindings}, indent=2)
        return "\n".join(["Layers:", *layers, "", "Bindings:", *bindings, ""])


def make_runtime_config() -> IRuntimeConfig:
    """One with nothing set."""
    return made(IRuntimeConfig, _strategy=Strategy.STATIC)


def make_serialization_config() -> ISerializationConfig:
    """One with no flag set."""
    return made(ISerializationConfig)


def make_inspector(engine: Engine, log: Log) -> EngineInspector:
    """The inspector of an engine."""
    return made(EngineInspector, _model=engine, _log=log)
