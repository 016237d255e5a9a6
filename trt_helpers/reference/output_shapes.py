"""Output shapes for input shapes: what an engine knows before it runs, shared by all its contexts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import onnx

from . import graph
from .formula import evaluate
from .header import PlanHeader, Shape, TensorSpec

# A service with ever new shapes must not grow for ever.
_REMEMBERED = 1024


class OutputShapes:
    """Works on the graph without weights, and remembers what it found for each combination of input shapes.

    Raises:
        Exception: ``shapes`` is not an ONNX graph (protobuf has types of its own for this).
    """

    def __init__(self, header: PlanHeader, shapes: bytes) -> None:
        self._graph = onnx.load_from_string(shapes)
        self._inputs = {spec.name: spec for spec in header.inputs}
        self._outputs = {spec.name: spec for spec in header.outputs}
        self._sources = {n: graph.inputs_reaching(self._graph, list(self._inputs), n) for n in self._outputs}
        self._remembered: dict[tuple, dict[str, Shape]] = {}
        self.weight_bytes = graph.total_weight_bytes(self._graph, list(self._inputs))
        self.layers = [node.name or node.op_type for node in self._graph.graph.node]

    def depends_on(self, output: str, inputs: set[str]) -> bool:
        """Whether ``output`` is computed from one of these inputs."""
        return not inputs.isdisjoint(self._sources[output])

    def of(
        self, inputs: Mapping[str, Shape], values: Mapping[str, np.ndarray], largest: bool = False
    ) -> dict[str, Shape]:
        """The shape of every output; -1 where it is not known, or known only after the run.

        Parameters:
            inputs: every input's shape, in network order; -1 where it is not known.
            values: the values of shape inputs, as far as they are known.
            largest: what depends on the data is taken as large as it can get, where that is known.

        Raises:
            graph.ShapesDisagree: they contradict each other.
        """
        key = (*inputs.values(), largest, *(v.tobytes() for v in values.values()), *values)
        found = self._remembered.get(key)
        if found is None:
            found = self._infer(inputs, values, largest)
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def so_far(self, output: str, inputs: Mapping[str, Shape], unset: Mapping[str, tuple[Shape, Shape]]) -> Shape:
        """An output's shape while inputs are unset: -1 in each dimension that depends on one. Contract: 14.

        A dimension does not depend on them if it is the same whether they are as small or as large as they may be.

        Parameters:
            unset: smallest and largest shape of each unset input.
        """
        unknown = self.of({n: self._inputs[n].shape if n not in unset else shape for n, shape in inputs.items()}, {})
        try:
            small = self.of({**inputs, **{name: low for name, (low, _) in unset.items()}}, {})
            large = self.of({**inputs, **{name: high for name, (_, high) in unset.items()}}, {})
        except graph.ShapesDisagree:
            return unknown[output]
        sizes = zip(small[output], large[output], unknown[output], strict=True)
        return tuple(a if a == b else neither for a, b, neither in sizes)

    def _infer(self, inputs: Mapping[str, Shape], values: Mapping[str, np.ndarray], largest: bool) -> dict[str, Shape]:
        self._check_shared_names(inputs)
        infer = graph.infer_largest if largest else graph.infer
        inferred, sizes = infer(self._graph, inputs, values), self._symbol_sizes(inputs)
        return {name: _settle(spec, inferred[name], sizes) for name, spec in self._outputs.items()}

    def _named_sizes(self, inputs: Mapping[str, Shape]) -> list[tuple[str, int, str, int]]:
        """Input, axis, ONNX name and size of every dimension whose size is known."""
        return [
            (name, axis, dim_name, size)
            for name, shape in inputs.items()
            for axis, (size, dim_name) in enumerate(
                zip(shape, self._inputs[name].dim_names or [""] * len(shape), strict=True)
            )
            if size >= 0
        ]

    def _check_shared_names(self, inputs: Mapping[str, Shape]) -> None:
        """Inputs whose ONNX dimensions share a name must have the same size there. Contract: 16, 30."""
        seen: dict[str, int] = {}
        for _, _, dim_name, size in self._named_sizes(inputs):
            first = seen.setdefault(dim_name, size) if dim_name else size
            if first != size:
                raise graph.ShapesDisagree(
                    f"Dimensions with name {dim_name} must be equal. Condition '==' violated: {first} != {size}. "
                    f"Instruction: CHECK_EQUAL {first} {size}."
                )

    def _symbol_sizes(self, inputs: Mapping[str, Shape]) -> dict[str, int]:
        """The sizes of the run-time dimensions, under the names that formulas use."""
        named = self._named_sizes(inputs)
        return {graph.symbol(name, axis, dim_name): size for name, axis, dim_name, size in named}


def _settle(spec: TensorSpec, inferred: Shape, sizes: dict[str, int]) -> Shape:
    """An output's shape: what the network fixes, else what its formula gives, else what ONNX infers, else -1."""
    settled = []
    for axis, size in enumerate(spec.shape):
        if size == -1 and spec.formulas and spec.formulas[axis] != "":
            with suppress(KeyError, ValueError, SyntaxError):  # a dimension in the formula is not known yet
                size = evaluate(str(spec.formulas[axis]), sizes)
        if size == -1 and len(inferred) == len(spec.shape):
            size = inferred[axis]
        settled.append(size)
    return tuple(settled)
