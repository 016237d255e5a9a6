"""Which GPUs a plan of TensorRT-RTX is for.

Unless told, its builder plans for compute capability 8.0, 8.6, 8.9 and 12.x, and such a plan does not run on Turing
(7.5: T4, RTX 20). TensorRT itself builds for the GPU that is there, and has no such setting. None of this was ever run
on a T4.
"""

from __future__ import annotations

from ..lanes import lane, trt
from ..log import Message

_TURING = "Turing (SM75)"


def ask_for_gpus(config: trt.IBuilderConfig) -> None:
    """Have the plan made for the GPU of this machine; in the reference lane, for every GPU that the builder knows."""
    if lane.name == "tensorrt_rtx":
        _ask(config, [trt.ComputeCapability.CURRENT])
    elif lane.name == "reference":
        known = [name for name in dir(trt.ComputeCapability) if name.startswith("SM")]
        _ask(config, [getattr(trt.ComputeCapability, name) for name in known])


def leave_out_turing(config: trt.IBuilderConfig, messages: list[Message]) -> str:
    """After a refused build: why it cannot be for Turing, which is left out from now on; ``""`` if that was not it.

    Its builder has no FP32 matrix multiplication for Turing, for one.
    """
    reason = next((m.text for m in messages if m.is_error and _TURING in m.text), "")
    count = config.num_compute_capabilities if reason else 0
    targets = [config.get_compute_capability(i) for i in range(count)]
    if len(targets) < 2:
        return ""
    _ask(config, [target for target in targets if target != trt.ComputeCapability.SM75])
    return reason


def _ask(config: trt.IBuilderConfig, targets: list[trt.ComputeCapability]) -> None:
    config.num_compute_capabilities = len(targets)
    for index, target in enumerate(targets):
        config.set_compute_capability(target, index)
