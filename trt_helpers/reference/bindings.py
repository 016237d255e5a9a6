"""What the reference classes share with NVIDIA's Python bindings: argument checks, ``Dims``, missing members."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence

import tensorrt_rtx as rtx

MAX_DIMS = rtx.Dims.MAX_DIMS


class InvalidDims(rtx.Dims):
    """What TensorRT returns for a shape it does not know: a ``Dims`` with -1 dimensions.

    It has no length (``ValueError``), no elements (``IndexError``) and equals nothing.
    """

    def __len__(self) -> int:
        raise ValueError("__len__() should return >= 0")

    def __getitem__(self, index: object) -> int:
        raise IndexError("Out of bounds")

    def __iter__(self):
        raise ValueError("__len__() should return >= 0")

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None

    def __repr__(self) -> str:
        return "<invalid Dims>"


def dims_text(shape: Sequence[int]) -> str:
    """A shape as TensorRT's log writes it: ``[9,4]``."""
    return "[" + ",".join(str(d) for d in shape) + "]"


def _type_error(method: Callable, args: tuple, kwargs: dict) -> TypeError:
    """The bindings' own words for arguments of the wrong type, with the signature from NVIDIA's docstring."""
    interface, _, name = method.__qualname__.partition(".")
    real = getattr(getattr(rtx, interface), name)
    lines = [line for line in (real.__doc__ or "").splitlines() if f"{name}(self" in line]
    signatures = [line.lstrip("0123456789. ").removeprefix(name) for line in lines]
    supported = "\n".join(f"    {i}. {text}" for i, text in enumerate(signatures, 1))
    invoked = ", ".join([repr(a) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()])
    return TypeError(
        f"{name}(): incompatible function arguments. The following argument types are supported:\n"
        f"{supported}\n\nInvoked with: {invoked}"
    )


def _converters(method: Callable) -> list[tuple[str, Callable | None]]:
    convert = {"str": _as_str, "int": operator.index, "bool": bool}
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [(p.name, convert.get(p.annotation)) for p in parameters]


def _as_str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def checked(method: Callable) -> Callable:
    """Check arguments annotated ``str`` or ``int`` the way the bindings do: a wrong type is a ``TypeError``.

    Whatever Python can use as an index counts as an int (``numpy.int64`` too); a float, ``None`` or a tensor
    does not.
    """
    converters = _converters(method)
    names = [name for name, _ in converters]

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        try:
            if kwargs:
                bound = inspect.signature(method).bind(self, *args, **kwargs).arguments
                args = tuple(bound[name] for name in names if name in bound)
            converted = [c(a) if c else a for (_, c), a in zip(converters, args, strict=False)]
        except TypeError:
            raise _type_error(method, (self, *args), kwargs) from None
        if len(args) > len(converters):
            raise _type_error(method, (self, *args), kwargs)
        return method(self, *converted)

    return wrapper


class NotConstructible:
    """A class that only TensorRT hands out, as the bindings have it."""

    def __init__(self) -> None:
        raise TypeError(f"tensorrt_rtx_bindings.tensorrt_rtx.{type(self).__name__}: No constructor defined!")

    def __getattr__(self, name: str) -> object:
        """Members that TensorRT removed keep its own text; members that we do not offer say so."""
        interface = type(self).__name__
        if not name.startswith("_") and hasattr(getattr(rtx, interface), name):
            raise AttributeError(f"{interface}.{name} is not in the reference lane: it needs TensorRT on a GPU")
        raise AttributeError(f"'tensorrt_rtx_bindings.tensorrt_rtx.{interface}' object has no attribute '{name}'")
