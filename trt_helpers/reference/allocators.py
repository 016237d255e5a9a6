"""Output allocators: who provides an output's memory once its size is known. Contract: 70, 71."""

from __future__ import annotations

import tensorrt_rtx as rtx

from .refusal import Refused

ALIGNMENT = 256


def round_up(size: int) -> int:
    """To the next multiple of 512, and never 0: TensorRT asks for at least some memory. Contract: 69, 70."""
    return max(512, -(-size // 512) * 512)


def ask(allocator: rtx.IOutputAllocator, name: str, current: int, size: int, stream: int) -> int:
    """Have memory for an output allocated.

    Parameters:
        current: the address that ``set_tensor_address`` gave, the first offer; 0 if none.
        size: bytes, rounded up.

    Raises:
        Refused: it returned nothing. An exception in it counts as "no memory", as in TensorRT.
    """
    try:
        # TensorRT 8.5 to 9 knew only the second form; it is still the fallback.
        if hasattr(allocator, "reallocate_output_async"):
            address = int(allocator.reallocate_output_async(name, current, size, ALIGNMENT, stream) or 0)
        else:
            address = int(allocator.reallocate_output(name, current, size, ALIGNMENT) or 0)
    except Exception:
        address = 0
    if not address:
        raise Refused("output_allocation_failed", tensor=name, size=size)
    return address


def tell(allocator: rtx.IOutputAllocator, name: str, shape: tuple[int, ...]) -> None:
    """Tell the allocator the output's shape; what it raises has nowhere to go."""
    try:
        allocator.notify_shape(name, rtx.Dims(shape))
    except Exception as error:
        print(f"[ERROR] Exception caught in notify_shape(): {error}")
