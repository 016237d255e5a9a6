"""``IExecutionContext`` as TensorRT 8 had it: shapes by binding number, addresses in one list."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import torch

from ..execution import own_stream
from ..lanes import device, trt
from ..tensors import input_names, to_torch_dtype
from .indices import Bindings
from .view import View, replaced_by

Shape = Sequence[int]


class IExecutionContext(View):
    """A view on a context, with binding numbers for names."""

    def __init__(
        self, real: trt.IExecutionContext, engine: View, bindings: Bindings, refuse: Callable[..., None]
    ) -> None:
        super().__init__(real)
        self._engine, self._bindings, self._refuse = engine, bindings, refuse
        # The values given to set_shape_input, copied: TensorRT takes their address.
        self._values: dict[str, torch.Tensor] = {}

    @property
    def engine(self) -> View:
        """The engine it was made from, with TensorRT 8's members."""
        return self._engine

    # ---- profiles -------------------------------------------------------------------------------------------

    @property
    def active_optimization_profile(self) -> int:
        """The profile in use. A new context starts on 0; in TensorRT 8 it could be -1, "none"."""
        return self.real.active_optimization_profile

    @active_optimization_profile.setter
    @replaced_by("set_optimization_profile_async", stacklevel=3)
    def active_optimization_profile(self, profile_index: int) -> None:
        """Switch, and wait until it is done. The shapes must be set again.

        Raises:
            RuntimeError: there is no such profile.
        """
        stream = own_stream(self.real)
        try:
            self.real.set_optimization_profile_async(profile_index, stream.handle)
        except RuntimeError:
            raise RuntimeError("Error in set optimization profile.") from None
        stream.synchronize()

    # ---- shapes ---------------------------------------------------------------------------------------------

    @replaced_by("set_input_shape")
    def set_binding_shape(self, binding: int, shape: Shape) -> bool:
        """Say how big an input will be. The binding must be one of the active profile: no number is corrected here.

        Returns:
            False, with one ERROR in the log and the old shape still in force, if it is refused.
        """
        profile = self.active_optimization_profile
        ours = self._bindings.of_profile(profile)
        if binding not in ours:
            self._refuse("binding_of_other_profile", index=binding, profile=profile, min=ours[0], max=ours[-1])
            return False
        name = self._bindings.tensor(binding)
        facts = self._out_of_range(name, profile, shape)
        if facts:
            self._refuse("binding_shape_out_of_range", index=binding, **facts)
            return False
        return self.real.set_input_shape(name, shape)

    def _out_of_range(self, name: str, profile: int, shape: Shape) -> dict[str, object]:
        """What TensorRT 8's line says of the first size outside the profile; empty if there is none."""
        engine = self._engine.real
        if engine.get_tensor_mode(name) != trt.TensorIOMode.INPUT:
            return {}
        low, _, high = engine.get_tensor_profile_shape(name, profile)
        wanted = engine.get_tensor_shape(name)
        if not isinstance(shape, Sequence | trt.Dims) or len(shape) != len(wanted):
            return {}  # for the named API to refuse
        for axis, size in enumerate(shape):
            if wanted[axis] == -1 and not low[axis] <= size <= high[axis]:
                bound, sign = ("Min", "<=") if size < low[axis] else ("Max", ">=")
                return {
                    "condition": f"profile{bound}Dims.d[i] {sign} dimensions.d[i]",
                    "asked_dims": "[" + ",".join(map(str, shape)) + "]",
                    "axis": axis,
                    "max": high[axis],
                    "min": low[axis],
                    "size": size,
                }
        return {}

    def _tensor(self, binding: int) -> str:
        """The tensor of a binding of the active profile; of another one: a name that no tensor has."""
        return self._bindings.tensor_in(self.active_optimization_profile, binding)

    @replaced_by("get_tensor_shape")
    def get_binding_shape(self, binding: int) -> trt.Dims:
        """The shape now: -1 where it is not known yet. A binding of profile 0 stands for its twin in the active one.

        A binding of another profile: invalid ``Dims``, which have no length.
        """
        return self.real.get_tensor_shape(self._tensor(binding))

    @replaced_by("get_tensor_strides")
    def get_strides(self, binding: int) -> trt.Dims:
        """Strides in elements; invalid ``Dims`` while a size is unknown."""
        return self.real.get_tensor_strides(self._tensor(binding))

    @property
    def all_binding_shapes_specified(self) -> bool:
        """Whether no input shape is missing."""
        return not any(-1 in self.real.get_tensor_shape(name) for name in input_names(self._engine.real))

    @property
    def all_shape_inputs_specified(self) -> bool:
        """Whether no value of a shape input is missing."""
        engine = self._engine.real
        values = [name for name in input_names(engine) if engine.is_shape_inference_io(name)]
        return all(self.real.get_tensor_address(name) for name in values)

    @replaced_by("set_tensor_address")
    def set_shape_input(self, binding: int, shape: Sequence[int]) -> bool:
        """Set the values of a shape input. They are copied, now."""
        name, engine = self._tensor(binding), self._engine.real
        if name not in input_names(engine) or not engine.is_shape_inference_io(name):
            return False
        values = torch.tensor(list(shape), dtype=to_torch_dtype(engine.get_tensor_dtype(name)))
        if not self.real.set_tensor_address(name, values.data_ptr()):
            return False
        self._values[name] = values
        return True

    @replaced_by("get_tensor_address")
    def get_shape(self, binding: int) -> list[int]:
        """The values of a shape input that were set; ``[]`` if none were."""
        values = self._values.get(self._tensor(binding))
        return [] if values is None else values.tolist()

    # ---- execution ------------------------------------------------------------------------------------------

    def _addresses(self, method: str, bindings: Sequence[int]) -> dict[str, int] | None:
        """The addresses of the active profile's bindings by name, out of the list for all profiles; None if it ends
        before them, which TensorRT 8 did not notice."""
        given = [operator.index(address) for address in bindings]
        wanted = self._bindings.of_profile(self.active_optimization_profile)
        if len(given) < wanted.stop:
            facts = {"given": len(given), "min": wanted.start, "max": wanted.stop - 1}
            self._refuse("bindings_too_short", method=method, **facts)
            return None
        addresses = {self._bindings.tensor(b): given[b] for b in wanted}
        # 0 stands for what set_shape_input was given.
        return addresses | {name: values.data_ptr() for name, values in self._values.items() if addresses[name] == 0}

    def execute_v2(self, bindings: Sequence[int]) -> bool:
        """Execute and wait.

        Parameters:
            bindings: addresses, indexed by binding number: for profile k, k times T entries that nobody reads, then T
                addresses. What comes behind may be left off.
        """
        addresses = self._addresses("executeV2", bindings)
        return addresses is not None and self.real.execute_v2(list(addresses.values()))

    def execute_async_v2(self, bindings: Sequence[int], stream_handle: int, input_consumed: int | None = None) -> bool:
        """Enqueue one execution. True means enqueued, not done.

        On the CPU, stream 0 is waited for: on a GPU a copy from the default stream to the host waits by itself, but
        here nothing is copied.

        Parameters:
            bindings: as for ``execute_v2``.
            input_consumed: an event to record once the inputs may be overwritten.
        """
        if stream_handle == 0 and not input_consumed and device.type == "cpu":
            return self.execute_v2(bindings)
        addresses = self._addresses("enqueueV2", bindings)
        if addresses is None:
            return False
        if not all(self.real.set_tensor_address(name, address) for name, address in addresses.items()):
            return False
        self.real.set_input_consumed_event(input_consumed or 0)
        return self.real.execute_async_v3(stream_handle)
