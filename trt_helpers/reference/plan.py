"""The plan file of the reference lane: NVIDIA's real plan in front, what the reference runtime needs behind.

    offset 0          TensorRT-RTX's plan, untouched: cut it out and it runs on an RTX GPU
                      the ONNX graph, as the parser got it
                      the same graph without weights, for shape inference
                      a JSON header: versions, I/O tensors, profiles
    last 80 bytes     the footer: magic, format, the four lengths, SHA-256 of everything before the digest

Reading never executes anything from the file; every length is checked before it is used, and reading costs one
pass over the bytes and no copy of them.
"""

from __future__ import annotations

import gc
import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tensorrt_rtx as rtx

from .header import MAX_BYTES, HeaderError, PlanHeader

MAGIC = b"TRTHREF\0"
FORMAT = 1
_FOOTER = struct.Struct("<8sIIQQQQ32s")
_DIGEST = hashlib.sha256().digest_size

# The first four bytes of a plan, little-endian: printed by TensorRT itself when it refuses a file.
TENSORRT_MAGIC = 1953657958
TENSORRT_RTX_MAGIC = 1953657974


class PlanError(Exception):
    """A plan that cannot be read: the key of a refusal and its facts."""

    def __init__(self, key: str, **facts: object) -> None:
        super().__init__(f"{key}: {facts}")
        self.key, self.facts = key, facts


@dataclass(frozen=True)
class PlanParts:
    """A plan taken apart. The first three are views on the file's bytes, not copies."""

    tensorrt_rtx: memoryview
    onnx: memoryview
    shapes: memoryview
    header: PlanHeader


def join(tensorrt_rtx: bytes, onnx: bytes, shapes: bytes, header: PlanHeader) -> bytes:
    """Write a plan: ``tensorrt_rtx`` is NVIDIA's part, the rest is ours."""
    head = header.to_json()
    lengths = (len(tensorrt_rtx), len(onnx), len(shapes), len(head))
    footer = _FOOTER.pack(MAGIC, FORMAT, 0, *lengths, bytes(_DIGEST))[:-_DIGEST]
    body = b"".join([tensorrt_rtx, onnx, shapes, head, footer])
    return body + hashlib.sha256(body).digest()


def split(data: memoryview) -> PlanParts:
    """Take a plan apart.

    Raises:
        PlanError: empty, too short, not a plan of this lane, damaged, or written in another format.
    """
    data = memoryview(data).cast("B")
    rtx_part, onnx, shapes, head = _cut(data)
    try:
        header = PlanHeader.from_json(bytes(head))
    except HeaderError as error:
        raise PlanError("plan_damaged", reason=f"its header cannot be read: {error}.") from None
    return PlanParts(rtx_part, onnx, shapes, header)


def tensorrt_rtx_part(plan: bytes) -> bytes:
    """NVIDIA's own plan out of a plan of the reference lane: TensorRT-RTX runs it on an RTX GPU.

    Parameters:
        plan: any buffer with a plan of the reference lane.

    Raises:
        ValueError: it is no such plan, or was made without NVIDIA's builder.
    """
    try:
        part = bytes(_cut(memoryview(plan).cast("B"))[0])
    except PlanError as error:
        raise ValueError(f"not a sound plan of the reference lane ({error})") from None
    if not part:
        raise ValueError("this plan was made from ONNX alone: NVIDIA's builder was not involved")
    return part


def _cut(data: memoryview) -> list[memoryview]:
    """The four parts, once lengths and checksum are known to be right."""
    _check_kind(data)
    _, found_format, _, *lengths, digest = _FOOTER.unpack(data[-_FOOTER.size :])
    # First of all: a format or a length that was changed by accident says nothing.
    if hashlib.sha256(data[:-_DIGEST]).digest() != digest:
        raise PlanError("plan_damaged", reason="its checksum does not match, so some of its bytes have changed.")
    if found_format != FORMAT:
        raise PlanError("plan_version", found=found_format, expected=FORMAT)
    written = sum(lengths) + _FOOTER.size
    if written != len(data):
        raise PlanError("plan_damaged", reason=f"{written} bytes were written, {len(data)} are here.")
    if lengths[3] > MAX_BYTES:
        raise PlanError("plan_damaged", reason=f"its header of {lengths[3]} bytes is longer than {MAX_BYTES}.")
    ends = [sum(lengths[: i + 1]) for i in range(4)]
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _check_kind(data: memoryview) -> None:
    """Refuse what is no plan of the reference lane, and say what it is instead."""
    if not len(data):
        raise PlanError("plan_empty")
    if len(data) < 8:
        raise PlanError("plan_too_short")
    if len(data) >= _FOOTER.size and bytes(data[-_FOOTER.size :][: len(MAGIC)]) == MAGIC:
        return
    magic = int.from_bytes(data[:4], "little")
    if MAGIC in bytes(data[-4096:]):
        raise PlanError("plan_damaged", reason="bytes were added to its end or removed from it.")
    if magic == TENSORRT_RTX_MAGIC:
        if _has_wrong_length(data):
            raise PlanError("plan_damaged", reason="it was cut short, or bytes were added to its end.")
        reason = "it was built by TensorRT-RTX alone, or from a network made with the layer API."
        raise PlanError("plan_without_onnx", reason=reason)
    what = "a plan of TensorRT" if magic == TENSORRT_MAGIC else "not a plan at all"
    raise PlanError("plan_foreign", magic=magic, expected=TENSORRT_RTX_MAGIC, what=what)


def _has_wrong_length(rtx_plan: memoryview) -> bool:
    """Whether NVIDIA's own runtime misses bytes, or finds too many: it looks at that before it looks for a GPU."""
    heard = _Listener()
    with _no_collection():
        rtx.Runtime(heard).deserialize_cuda_engine(rtx_plan)
    marks = ("plan.header.size == blobSize", "bufferSize >= minBufferSize")
    return any(mark in line for line in heard.lines for mark in marks)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing is collected meanwhile. NVIDIA's library tells a second logger that it is one while it holds a lock, and
    a builder that Python frees inside that call waits for the same lock: for ever."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Listener(rtx.ILogger):
    """Keeps what NVIDIA's runtime says and shows it to nobody."""

    def __init__(self) -> None:
        rtx.ILogger.__init__(self)
        self.lines: list[str] = []

    def log(self, severity: rtx.ILogger.Severity, msg: str) -> None:
        """Called by TensorRT-RTX."""
        self.lines.append(msg)
