"""The header of a plan: I/O tensors and profiles, as JSON. Reading checks everything that is relied on later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import tensorrt_rtx as rtx

MAX_BYTES = 16 << 20  # a header is a few kilobytes; nobody needs one larger than this
_MAX_FORMULA = 4096
_MAX_NAME = 4096  # bytes; TensorRT's own limit

Shape = tuple[int, ...]


class HeaderError(Exception):
    """A header that does not say what a header has to say."""


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
        """Read it back; lists become tuples where the runtime compares shapes.

        Raises:
            HeaderError: it is no JSON, or not that of a header.
        """
        try:
            header = cls._read(json.loads(data))
        except RecursionError:
            raise HeaderError("its JSON is nested too deeply") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HeaderError(f"{type(error).__name__}: {str(error)[:200]}") from None
        _check(header)
        return header

    @classmethod
    def _read(cls, raw: dict) -> PlanHeader:
        for key in ("inputs", "outputs"):
            raw[key] = [
                TensorSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in t.items()}) for t in raw[key]
            ]
        raw["profiles"] = [{n: [tuple(s) for s in three] for n, three in p.items()} for p in raw["profiles"]]
        return cls(**raw)


def _check(header: PlanHeader) -> None:
    """Everything that the runtime indexes, compares or computes with later has the right type and size."""
    _require(isinstance(header.name, str) and _is_size(header.num_layers), "its name or number of layers")
    names = [spec.name for spec in (*header.inputs, *header.outputs)]
    _require(all(isinstance(n, str) and len(n) <= _MAX_NAME for n in names), "the name of a tensor")
    _require(len(set(names)) == len(names), "two tensors of one name")
    for spec in (*header.inputs, *header.outputs):
        _check_spec(spec)
    _require(len(header.profiles) >= 1, "no profile")
    _require(len(header.profile_values) == len(header.profiles), "profiles without values")
    for profile, values in zip(header.profiles, header.profile_values, strict=True):
        _check_profile(header, profile, values)


def _check_spec(spec: TensorSpec) -> None:
    _require(_is_shape(spec.shape, smallest=-1), f"the shape of {spec.name}")
    _require(spec.dtype in rtx.DataType.__members__ and _is_size(spec.onnx_type), f"the type of {spec.name}")
    for facts in (spec.dim_names, spec.formulas):
        _require(isinstance(facts, tuple) and len(facts) in (0, len(spec.shape)), f"the dimensions of {spec.name}")
    _require(all(isinstance(name, str) for name in spec.dim_names), f"the dimensions of {spec.name}")
    for formula in spec.formulas:
        short = isinstance(formula, str) and len(formula) <= _MAX_FORMULA
        _require(short or _is_size(formula), f"a formula of {spec.name}")


def _check_profile(header: PlanHeader, profile: dict, values: dict) -> None:
    for spec in header.inputs:
        three = profile.get(spec.name)
        _require(three is not None or -1 not in spec.shape, f"no shapes for {spec.name} in a profile")
        for shape in three or ():
            _require(_is_shape(shape) and len(shape) == len(spec.shape), f"a profile's shape of {spec.name}")
        _require(three is None or len(three) == 3, f"a profile of {spec.name}")
    for three in values.values():
        _require(isinstance(three, list) and len(three) == 3, "a profile's values")
        _require(all(type(v) is int for one in three for v in one), "a profile's values")


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_shape(shape: object, smallest: int = 0) -> bool:
    if not isinstance(shape, tuple) or len(shape) > rtx.Dims.MAX_DIMS:
        return False
    return all(type(size) is int and smallest <= size < 2**31 for size in shape)


def _require(is_sound: bool, what: str) -> None:
    if not is_sound:
        raise HeaderError(f"{what} makes no sense")
