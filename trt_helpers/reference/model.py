"""What an engine and a context are, as plain data: no log, no refusals, nobody who asks. The rules work on these."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import tensorrt_rtx as rtx

from .device import Cpu, Cuda, make_device
from .header import PlanHeader, Shape, TensorSpec
from .output_shapes import OutputShapes
from .plan_copy import PlanCopy
from .session import Sessions


class Engine:
    """A loaded plan. Nothing in it changes, and all its contexts share it.

    Attributes:
        specs, inputs, outputs: I/O tensors by name: all, inputs first; one kind alone.
        output_shapes: works out the outputs' shapes.
        sessions, device: who does the work, and where.
        plan: the bytes that it came from.
    """

    def __init__(self, header: PlanHeader, output_shapes: OutputShapes, sessions: Sessions, plan: PlanCopy) -> None:
        self.name, self.num_layers = header.name, header.num_layers
        self.profiles, self.profile_values = header.profiles, header.profile_values
        self.inputs: dict[str, TensorSpec] = {spec.name: spec for spec in header.inputs}
        self.outputs: dict[str, TensorSpec] = {spec.name: spec for spec in header.outputs}
        self.specs = self.inputs | self.outputs
        self.names = list(self.specs)
        self.shape_inputs = [spec.name for spec in header.inputs if spec.is_shape_tensor]
        self.output_shapes, self.sessions, self.plan = output_shapes, sessions, plan
        self.device: Cpu | Cuda = make_device(sessions.device)
        self._forced: dict[tuple[str, int], Shape] = {}

    def profile(self, name: str, index: int) -> list[Shape]:
        """Smallest, likeliest and largest shape of an input; a static input has one."""
        return self.profiles[index].get(name) or [self.specs[name].shape] * 3

    def num_bytes(self, name: str, shape: Shape) -> int:
        """Bytes of a tensor; 4-bit types have half a byte."""
        return math.ceil(math.prod(shape) * getattr(rtx.DataType, self.specs[name].dtype).itemsize)

    def forced(self, name: str, profile: int) -> Shape:
        """An input's shape, with each dimension filled in that the profile leaves no choice for. Contract: 13.

        There is no choice if min equals max, or if inputs that share an ONNX dimension name leave one common size.
        Remembered, because every execution asks.
        """
        if (name, profile) not in self._forced:
            spec, (low, _, high) = self.inputs[name], self.profile(name, profile)
            sizes = []
            for i, size in enumerate(spec.shape):
                smallest, largest = low[i], high[i]
                if size == -1 and spec.dim_names and spec.dim_names[i]:
                    smallest, largest = self._common_range(profile, spec.dim_names[i])
                sizes.append(smallest if size == -1 and smallest == largest else size)
            self._forced[name, profile] = tuple(sizes)
        return self._forced[name, profile]

    def _common_range(self, profile: int, dim_name: str) -> tuple[int, int]:
        """What all inputs with this dimension name allow together."""
        smallest, largest = 0, 2**31 - 1
        for spec in self.inputs.values():
            low, _, high = self.profile(spec.name, profile)
            for i, found in enumerate(spec.dim_names):
                if found == dim_name:
                    smallest, largest = max(smallest, low[i]), min(largest, high[i])
        return smallest, largest


@dataclass
class Context:
    """All that a context remembers between two calls.

    A refused call changes nothing, a successful one its own field only, an execution none of them but the last two.
    """

    engine: Engine
    strategy: rtx.ExecutionContextAllocationStrategy
    profile: int = 0
    shapes: dict[str, Shape] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    allocators: dict[str, rtx.IOutputAllocator] = field(default_factory=dict)
    consumed_event: int = 0
    device_memory: int = 0
    has_warned: bool = False  # about the default stream
    last_run_ms: Callable[[], float] | None = None

    def input_shape(self, name: str) -> Shape:
        """What was set, else the engine's shape with every dimension that the profile leaves no choice for."""
        return self.shapes[name] if name in self.shapes else self.engine.forced(name, self.profile)

    def input_shapes(self) -> dict[str, Shape]:
        """Of all inputs, as far as they are known."""
        return {name: self.input_shape(name) for name in self.engine.inputs}

    def unset(self) -> list[str]:
        """Inputs whose shape is not known in full."""
        return [name for name in self.engine.inputs if -1 in self.input_shape(name)]
