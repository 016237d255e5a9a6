"""The plan file of the reference lane: NVIDIA's real plan in front, what the reference runtime needs behind.

    offset 0          TensorRT-RTX's plan, untouched: cut it out and it runs on an RTX GPU
                      the ONNX graph, as the parser got it
                      the same graph without weights, for shape inference
                      a JSON header: versions, I/O tensors, profiles
    last 80 bytes     the footer: magic, format, the four lengths, SHA-256 of everything before the digest

Reading never executes anything from the file; every length is checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass, field

MAGIC = b"TRTHREF\0"
FORMAT = 1
_FOOTER = struct.Struct("<8sIIQQQQ32s")

# The first four bytes of a plan, little-endian: printed by TensorRT itself when it refuses a file.
TENSORRT_MAGIC = 1953657958
TENSORRT_RTX_MAGIC = 1953657974

Shape = tuple[int, ...]


class PlanError(Exception):
    """A plan that cannot be read: the key of a refusal and its facts."""

    def __init__(self, key: str, **facts: object) -> None:
        super().__init__(key)
        self.key, self.facts = key, facts


@dataclass(frozen=True)
class TensorSpec:
    """One I/O tensor as the network declares it. ``shape`` has -1 for every dimension known only at run time.

    ``dim_names`` are the ONNX names of an input's dimensions; ``formulas`` say how an output's follow from them.
    """

    name: str
    shape: Shape
    dtype: str
    onnx_type: int
    dim_names: tuple[str, ...] = ()
    formulas: tuple[int | str, ...] = ()
    is_shape_tensor: bool = False


@dataclass(frozen=True)
class PlanHeader:
    """What the reference runtime knows about an engine besides its graph."""

    name: str
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    profiles: list[dict[str, list[Shape]]]
    versions: dict[str, str]
    num_layers: int = 0
    profile_values: list[dict[str, list[list[int]]]] = field(default_factory=list)

    def to_json(self) -> bytes:
        """The header as UTF-8 JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> PlanHeader:
        """Read it back; lists become tuples where the runtime compares shapes."""
        raw = json.loads(data)
        for key in ("inputs", "outputs"):
            raw[key] = [TensorSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in t.items()}) for t in raw[key]]
        raw["profiles"] = [{n: [tuple(s) for s in three] for n, three in p.items()} for p in raw["profiles"]]
        return cls(**raw)


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
    footer = _FOOTER.pack(
        MAGIC, FORMAT, 0, len(tensorrt_rtx), len(onnx), len(shapes), len(head), bytes(hashlib.sha256().digest_size)
    )[: -hashlib.sha256().digest_size]
    body = b"".join([tensorrt_rtx, onnx, shapes, head, footer])
    return body + hashlib.sha256(body).digest()


def split(data: memoryview) -> PlanParts:
    """Take a plan apart.

    Raises:
        PlanError: empty, too short, not a plan of this lane, damaged, or written in another format.
    """
    data = memoryview(data).cast("B")
    _check_kind(data)
    magic, found_format, _, *lengths, digest = _FOOTER.unpack(data[-_FOOTER.size :])
    if found_format != FORMAT:
        raise PlanError("plan_version", found=found_format, expected=FORMAT)
    if sum(lengths) + _FOOTER.size != len(data):
        reason = f"{sum(lengths) + _FOOTER.size} bytes were written, {len(data)} are here."
        raise PlanError("plan_damaged", reason=reason)
    if hashlib.sha256(data[: -len(digest)]).digest() != digest:
        raise PlanError("plan_damaged", reason="its checksum does not match, so some of its bytes have changed.")
    parts, start = [], 0
    for length in lengths:
        parts.append(data[start : start + length])
        start += length
    return PlanParts(*parts[:3], PlanHeader.from_json(bytes(parts[3])))


def _check_kind(data: memoryview) -> None:
    """Refuse what is no plan of the reference lane, and say what it is instead."""
    if not len(data):
        raise PlanError("plan_empty")
    if len(data) < 8:
        raise PlanError("plan_too_short")
    magic = int.from_bytes(data[:4], "little")
    if len(data) >= _FOOTER.size and bytes(data[-_FOOTER.size :][: len(MAGIC)]) == MAGIC:
        return
    if magic == TENSORRT_RTX_MAGIC or bytes(data[:4]) == b"ptrt":
        _refuse_bare_rtx_plan(data)
    what = "a plan of TensorRT" if magic == TENSORRT_MAGIC else "not a plan at all"
    raise PlanError("plan_foreign", magic=magic, expected=TENSORRT_RTX_MAGIC, what=what)


def _refuse_bare_rtx_plan(data: memoryview) -> None:
    """A TensorRT-RTX plan without our part behind it: cut short, or never had one."""
    if MAGIC in bytes(data[-4096:]):
        raise PlanError("plan_damaged", reason="bytes were added to its end or removed from it.")
    reason = "it was built by TensorRT-RTX alone, from a network made with the layer API, or it was cut short."
    raise PlanError("plan_without_onnx", reason=reason)
